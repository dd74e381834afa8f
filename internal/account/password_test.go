package account

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// cheap keeps the tests quick; what is tested does not depend on the cost.
func cheap() Cost { return Cost{MemoryKiB: 8, Passes: 1, Threads: 1} }

func TestHashAndVerify(t *testing.T) {
	h := NewHasher(HasherOptions{Cost: cheap()})
	encoded, err := h.Hash(t.Context(), "horse battery")
	if err != nil {
		t.Fatal(err)
	}
	if want := "$argon2id$v=19$m=8,t=1,p=1$"; !strings.HasPrefix(encoded, want) {
		t.Errorf("hash %q, want it to begin with %q", encoded, want)
	}
	again, err := h.Hash(t.Context(), "horse battery")
	if err != nil {
		t.Fatal(err)
	}
	if again == encoded {
		t.Error("two hashes of one password are equal: no salt")
	}
	for password, want := range map[string]bool{
		"horse battery": true, "horse batterY": false, "horse battery ": false, "": false,
	} {
		if ok, err := h.Verify(t.Context(), encoded, password); ok != want || err != nil {
			t.Errorf("Verify(%q) = %v, %v, want %v", password, ok, err, want)
		}
	}
}

// The value was computed by the reference implementation:
// printf 'password' | argon2 somesalt -id -t 2 -k 65536 -p 1 -l 32 (phc-winner-argon2, test.c).
func TestVerifyReferenceHash(t *testing.T) {
	const encoded = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	ok, err := NewHasher(HasherOptions{Cost: cheap()}).Verify(t.Context(), encoded, "password")
	if !ok || err != nil {
		t.Errorf("Verify = %v, %v, want true", ok, err)
	}
}

func TestDefaultCost(t *testing.T) {
	encoded, err := NewHasher(HasherOptions{}).Hash(t.Context(), "horse battery")
	if err != nil {
		t.Fatal(err)
	}
	if want := "$argon2id$v=19$m=19456,t=2,p=1$"; !strings.HasPrefix(encoded, want) {
		t.Errorf("hash %q, want it to begin with %q", encoded, want)
	}
}

// Without an account nothing is right, not even what would meet the dummy: nothing,
// and yet the work is done.
func TestVerifyWithoutAccount(t *testing.T) {
	h := NewHasher(HasherOptions{Cost: cheap()})
	for _, password := range []string{"", "horse battery"} {
		if ok, err := h.Verify(t.Context(), "", password); ok || err != nil {
			t.Errorf("Verify(%q) = %v, %v, want false", password, ok, err)
		}
	}
	if ok, err := h.Verify(t.Context(), "$argon2id$v=19$m=8", "horse battery"); ok || err == nil {
		t.Errorf("Verify with a damaged hash = %v, %v, want an error", ok, err)
	}
}

// Sign-ins never take all cores.
func TestHalfTheCores(t *testing.T) {
	for cores, want := range map[int]int{1: 1, 2: 1, 3: 1, 4: 2, 16: 8} {
		before := runtime.GOMAXPROCS(cores)
		h := NewHasher(HasherOptions{Cost: cheap()})
		runtime.GOMAXPROCS(before)
		if got := cap(h.turns); got != want {
			t.Errorf("%d at a time on %d cores, want %d", got, cores, want)
		}
	}
}

func TestEvaluatedIsCalled(t *testing.T) {
	calls := 0
	h := NewHasher(HasherOptions{Cost: cheap(), Evaluated: func() { calls++ }})
	if _, err := h.Hash(t.Context(), "horse battery"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Verify(t.Context(), "", "horse battery"); err != nil {
		t.Fatal(err)
	}
	if calls != 2 {
		t.Errorf("called %d times after two evaluations", calls)
	}
}

// Each path runs argon2id once, no more and no less. One evaluation is recognised by the
// megabyte that it takes.
func TestVerifyEvaluatesOnce(t *testing.T) {
	const megabyte = 1 << 20
	h := NewHasher(HasherOptions{Cost: Cost{MemoryKiB: 1024, Passes: 1, Threads: 1}})
	encoded, err := h.Hash(t.Context(), "horse battery")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, encoded, password string }{
		{"right password", encoded, "horse battery"},
		{"wrong password", encoded, "horse"},
		{"no password", encoded, ""},
		{"no account", "", "horse battery"},
		{"neither", "", ""},
		{"damaged hash", "$argon2id$", "horse battery"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		h.Verify(t.Context(), tc.encoded, tc.password)
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took < megabyte || took >= 2*megabyte {
			t.Errorf("%s: took %d bytes, want those of one evaluation", tc.name, took)
		}
	}
}

func TestVerifyRefusesFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHasher(HasherOptions{Cost: cheap(), Concurrent: 2, Waiting: 3})
		h.turns <- struct{}{}
		h.turns <- struct{}{}
		ctx, cancel := context.WithCancelCause(t.Context())
		var waiting sync.WaitGroup
		errs := make(chan error, 5)
		for range 5 {
			waiting.Go(func() {
				_, err := h.Verify(ctx, "", "horse battery")
				errs <- err
			})
		}
		synctest.Wait()
		if _, err := h.Verify(ctx, "", "horse battery"); !errors.Is(err, ErrBusy) {
			t.Errorf("error %v, want ErrBusy", err)
		}
		if _, err := h.Hash(ctx, "horse battery"); !errors.Is(err, ErrBusy) {
			t.Errorf("error %v, want ErrBusy", err)
		}
		gone := errors.New("the browser has gone")
		cancel(gone)
		waiting.Wait()
		for range 5 {
			if err := <-errs; !errors.Is(err, gone) {
				t.Errorf("error %v, want %v", err, gone)
			}
		}
		<-h.turns
		<-h.turns
		if _, err := h.Verify(t.Context(), "", "horse battery"); err != nil {
			t.Errorf("after the flood: %v", err)
		}
	})
}

func TestOutdated(t *testing.T) {
	h := NewHasher(HasherOptions{Cost: Cost{MemoryKiB: 16, Passes: 2, Threads: 1}})
	const parts = "$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	for encoded, want := range map[string]bool{
		"$argon2id$v=19$m=16,t=2,p=1" + parts:                                                             false,
		"$argon2id$v=19$m=8,t=2,p=1" + parts:                                                              true,
		"$argon2id$v=19$m=16,t=1,p=1" + parts:                                                             true,
		"$argon2id$v=19$m=16,t=2,p=2" + parts:                                                             true,
		"$argon2id$v=19$m=16,t=2,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA":             true,
		"$argon2id$v=19$m=16,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA":                       true,
		"$2y$10$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA": true,
	} {
		if got := h.Outdated(encoded); got != want {
			t.Errorf("Outdated(%q) = %v, want %v", encoded, got, want)
		}
	}
}

func TestParsePasswordHashRefuses(t *testing.T) {
	const salt, key = "AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	if _, err := parsePasswordHash("$argon2id$v=19$m=8,t=1,p=1$" + salt + "$" + key); err != nil {
		t.Fatalf("the pattern of the cases below: %v", err)
	}
	for name, encoded := range map[string]string{
		"empty":              "",
		"4 GiB":              "$argon2id$v=19$m=4194304,t=1,p=1$" + salt + "$" + key,
		"memory overflows":   "$argon2id$v=19$m=4294967304,t=1,p=1$" + salt + "$" + key,
		"no memory":          "$argon2id$v=19$m=0,t=1,p=1$" + salt + "$" + key,
		"a million passes":   "$argon2id$v=19$m=8,t=1000000,p=1$" + salt + "$" + key,
		"no pass":            "$argon2id$v=19$m=8,t=0,p=1$" + salt + "$" + key,
		"no thread":          "$argon2id$v=19$m=8,t=1,p=0$" + salt + "$" + key,
		"many threads":       "$argon2id$v=19$m=2040,t=1,p=255$" + salt + "$" + key,
		"memory per thread":  "$argon2id$v=19$m=8,t=1,p=2$" + salt + "$" + key,
		"another algorithm":  "$argon2i$v=19$m=8,t=1,p=1$" + salt + "$" + key,
		"another version":    "$argon2id$v=16$m=8,t=1,p=1$" + salt + "$" + key,
		"no version":         "$argon2id$m=8,t=1,p=1$" + salt + "$" + key,
		"leading zero":       "$argon2id$v=19$m=08,t=1,p=1$" + salt + "$" + key,
		"sign":               "$argon2id$v=19$m=+8,t=1,p=1$" + salt + "$" + key,
		"order":              "$argon2id$v=19$t=1,m=8,p=1$" + salt + "$" + key,
		"one more parameter": "$argon2id$v=19$m=8,t=1,p=1,x=1$" + salt + "$" + key,
		"short salt":         "$argon2id$v=19$m=8,t=1,p=1$AAAA$" + key,
		"empty key":          "$argon2id$v=19$m=8,t=1,p=1$" + salt + "$",
		"short key":          "$argon2id$v=19$m=8,t=1,p=1$" + salt + "$AAAA",
		"long key":           "$argon2id$v=19$m=8,t=1,p=1$" + salt + "$" + strings.Repeat("A", 88),
		"padding":            "$argon2id$v=19$m=8,t=1,p=1$" + salt + "==$" + key,
		"line break":         "$argon2id$v=19$m=8,t=1,p=1$" + salt + "\n$" + key,
		"loose bits":         "$argon2id$v=19$m=8,t=1,p=1$" + salt[:21] + "B$" + key,
		"text before":        " $argon2id$v=19$m=8,t=1,p=1$" + salt + "$" + key,
		"text after":         "$argon2id$v=19$m=8,t=1,p=1$" + salt + "$" + key + "$",
		"endless":            strings.Repeat("$", 1<<20),
	} {
		if p, err := parsePasswordHash(encoded); err == nil {
			t.Errorf("%s: parsed as %v", name, p)
		}
	}
}

// What is accepted is within the bounds and has one spelling.
func FuzzParsePasswordHash(f *testing.F) {
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Add("$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ\n$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Fuzz(func(t *testing.T, encoded string) {
		p, err := parsePasswordHash(encoded)
		if err != nil {
			return
		}
		if p.String() != encoded {
			t.Errorf("%q is another spelling of %q", encoded, p)
		}
		c := p.cost
		if c.MemoryKiB > 256<<10 || c.MemoryKiB < 8*uint32(c.Threads) || c.Passes == 0 || c.Passes > 16 ||
			c.Threads == 0 || c.Threads > 4 || len(p.salt) < 8 || len(p.key) < 16 || len(p.key) > 64 {
			t.Errorf("%q is out of bounds", encoded)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	h := NewHasher(HasherOptions{})
	for b.Loop() {
		if _, err := h.Verify(b.Context(), "", "horse battery"); err != nil {
			b.Fatal(err)
		}
	}
}
