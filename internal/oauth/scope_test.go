package oauth

import (
	"encoding/hex"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseScope(t *testing.T) {
	tests := []struct {
		name, scope string
		want        []string
	}{
		{"one", "profile", []string{"profile"}},
		{"order is kept, doubles are dropped", "b a b", []string{"b", "a"}},
		{"colons", "profile:user_id alexa::ask:skills:readwrite", []string{"profile:user_id", "alexa::ask:skills:readwrite"}},
		{"first and last character", "! ~ # [ ]", []string{"!", "~", "#", "[", "]"}},
		{"blanks too many", "  a   b ", []string{"a", "b"}},
		{"nothing", "", nil},
		{"blanks only", "   ", nil},
		{"tab", "a\tb", nil},
		{"line break", "a\nb", nil},
		{"quotation mark", `a"b`, nil},
		{"backslash", `a\b`, nil},
		{"delete", "a\x7f", nil},
		{"not ASCII", "é", nil},
		{"no-break space", "a\u00a0b", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseScope(tt.scope)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if tt.want == nil {
				wantError(t, err, InvalidScope, "The request has an invalid parameter : scope")
			} else {
				wantError(t, err, "", "")
			}
		})
	}
}

func set(numbers ...int) ScopeSet {
	var s ScopeSet
	for _, n := range numbers {
		s = s.With(n)
	}
	return s
}

func TestScopeSet(t *testing.T) {
	a, b := set(0, 2, 63, 64, 71), set(2, 64, 70)
	tests := []struct {
		name string
		got  ScopeSet
		want []int
	}{
		{"With", a, []int{0, 2, 63, 64, 71}},
		{"Union", a.Union(b), []int{0, 2, 63, 64, 70, 71}},
		{"Intersect", a.Intersect(b), []int{2, 64}},
		{"Minus", a.Minus(b), []int{0, 63, 71}},
		{"empty", ScopeSet{}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, slices.Collect(tt.got.Numbers())); diff != "" {
				t.Error(diff)
			}
			if got, want := tt.got.Empty(), len(tt.want) == 0; got != want {
				t.Errorf("Empty %v, want %v", got, want)
			}
			for n := range 140 {
				if got, want := tt.got.Has(n), slices.Contains(tt.want, n); got != want {
					t.Errorf("Has(%d) %v, want %v", n, got, want)
				}
			}
		})
	}
	if a.ContainsAll(b) || !a.ContainsAll(a.Intersect(b)) || !a.ContainsAll(ScopeSet{}) || (ScopeSet{}).ContainsAll(b) {
		t.Error("ContainsAll")
	}
	if a.Has(-1) || slices.Collect(a.Numbers())[0] != 0 {
		t.Error("out of range")
	}
	for n := range a.Numbers() {
		if n != 0 {
			t.Fatalf("went on to %d", n)
		}
		break
	}
}

func TestScopeSetWithPanics(t *testing.T) {
	for _, n := range []int{-1, 72} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("With(%d) did not panic", n)
				}
			}()
			_ = ScopeSet{}.With(n)
		}()
	}
}

func TestScopeSetBinary(t *testing.T) {
	tests := []struct {
		set  ScopeSet
		want string
	}{
		{set(), ""},
		{set(0), "01"},
		{set(0, 1, 2), "07"},
		{set(8), "0001"},
		{set(64), "000000000000000001"},
		{set(0, 71), "010000000000000080"},
	}
	for _, tt := range tests {
		got := tt.set.AppendBinary([]byte("x"))
		if want := "78" + tt.want; hex.EncodeToString(got) != want {
			t.Errorf("%v: got %x, want %s", slices.Collect(tt.set.Numbers()), got, want)
		}
		if back, err := ParseScopeSet(got[1:]); err != nil || back != tt.set {
			t.Errorf("%s reads back as %v, %v", tt.want, back, err)
		}
	}
	for _, bad := range []string{"00", "0100", "01000000000000000001"} {
		b, err := hex.DecodeString(bad)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := ParseScopeSet(b); err == nil {
			t.Errorf("%s read as %v", bad, s)
		}
	}
}
