package account

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestReleasedEmail(t *testing.T) {
	claimed := Account{Email: "ann@example.com"}
	confirmed := Account{Email: "ann@example.com", EmailConfirmedAt: epoch}
	var unset EmailPolicy
	for _, tc := range []struct {
		policy  EmailPolicy
		account Account
		want    string
	}{
		{ConfirmRequired, claimed, ""},
		{ConfirmRequired, confirmed, "ann@example.com"},
		{ConfirmNotAsked, claimed, "ann@example.com"},
		{ConfirmNotAsked, confirmed, "ann@example.com"},
		{unset, claimed, ""},
	} {
		if got := tc.policy.Released(tc.account); got != tc.want {
			t.Errorf("policy %d, confirmed at %v: %q, want %q", tc.policy, tc.account.EmailConfirmedAt, got, tc.want)
		}
	}
}

func TestNewSession(t *testing.T) {
	agent := "Mozilla/5.0\x00 (X11)\xff\r\n" + strings.Repeat("é", 300)
	value, got := NewSession(7, agent, "192.0.2.1", epoch)
	raw, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || len(raw) != 32 {
		t.Fatalf("value %q, want 32 bytes as base64url", value)
	}
	want := Session{
		Digest:          sha256.Sum256(raw),
		AccountID:       7,
		ID:              got.ID,
		CreatedAt:       epoch,
		AuthenticatedAt: epoch,
		LastSeenAt:      epoch,
		ExpiresAt:       epoch.Add(12 * time.Hour),
		UserAgent:       "Mozilla/5.0 (X11)" + strings.Repeat("é", 183),
		Address:         "192.0.2.1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("session (-want +got):\n%s", diff)
	}
	other, second := NewSession(7, agent, "192.0.2.1", epoch)
	if other == value {
		t.Error("two sessions have one value")
	}
	if got.ID <= 0 || second.ID <= 0 || second.ID == got.ID {
		t.Errorf("ids %d and %d", got.ID, second.ID)
	}
}

func TestSessionLife(t *testing.T) {
	_, s := NewSession(7, "", "", epoch)
	for _, tc := range []struct {
		after                 time.Duration
		live, recent, touched bool
	}{
		{0, true, true, false},
		{5*time.Minute - 1, true, true, false},
		{5 * time.Minute, true, true, true},
		{15 * time.Minute, true, true, true},
		{15*time.Minute + 1, true, false, true},
		{12*time.Hour - 1, true, false, true},
		{12 * time.Hour, false, false, true},
	} {
		now := epoch.Add(tc.after)
		if s.Live(now) != tc.live || s.Recent(now) != tc.recent || s.TouchDue(now) != tc.touched {
			t.Errorf("after %v: live %v, recent %v, touch due %v, want %v, %v, %v", tc.after,
				s.Live(now), s.Recent(now), s.TouchDue(now), tc.live, tc.recent, tc.touched)
		}
	}
	if (Session{}).Recent(time.Time{}) {
		t.Error("a session in which nobody signed in is recent")
	}
}

// A session in constant use ends 30 days after it began, and one that has ended stays so.
func TestSessionTouch(t *testing.T) {
	_, s := NewSession(7, "", "", epoch)
	now := epoch
	for s.Live(now) {
		s = s.Touch(now)
		now = now.Add(time.Hour)
		if now.Sub(epoch) > 60*24*time.Hour {
			t.Fatal("the session lives for ever")
		}
	}
	if want := epoch.Add(30 * 24 * time.Hour); !s.ExpiresAt.Equal(want) {
		t.Errorf("ended at %v, want %v", s.ExpiresAt, want)
	}
	if !s.AuthenticatedAt.Equal(epoch) {
		t.Error("use counted as sign-in")
	}

	_, s = NewSession(7, "", "", epoch)
	if again := s.Touch(epoch.Add(13 * time.Hour)); again != s {
		t.Errorf("the ended session lives again: %+v", again)
	}
	if back := s.Touch(epoch.Add(-time.Hour)); back != s {
		t.Errorf("a clock that went back shortened the session: %+v", back)
	}
	if got := s.Touch(epoch.Add(2 * time.Hour)).ExpiresAt; !got.Equal(epoch.Add(14 * time.Hour)) {
		t.Errorf("used after 2 h, ends at %v, want 12 h later", got)
	}
}

func TestRecovery(t *testing.T) {
	value, r := NewRecovery(7, epoch)
	digest, ok := DigestToken(value)
	want := Recovery{Digest: digest, AccountID: 7, ExpiresAt: epoch.Add(30 * time.Minute)}
	if diff := cmp.Diff(want, r); !ok || diff != "" {
		t.Errorf("recovery (-want +got):\n%s", diff)
	}
	if !r.Live(epoch.Add(30*time.Minute-1)) || r.Live(epoch.Add(30*time.Minute)) {
		t.Error("the link does not end after 30 minutes")
	}
}

func TestDigestTokenRefuses(t *testing.T) {
	value, digest := NewToken()
	if got, ok := DigestToken(value); !ok || got != digest {
		t.Fatalf("DigestToken of a new token: %x, %v, want %x", got, ok, digest)
	}
	zeros := strings.Repeat("A", 43)
	for name, s := range map[string]string{
		"empty": "", "short": value[:42], "long": value + "A", "padded": value + "=",
		"space": " " + value[1:], "loose bits": zeros[:42] + "B", "not URL-safe": "+" + zeros[1:],
		"line break": zeros[:41] + "\r\n", "line break beside": zeros + "\n",
	} {
		if _, ok := DigestToken(s); ok {
			t.Errorf("%s: accepted", name)
		}
	}
}

// A token has one spelling: what is accepted is what its bytes are written as.
func FuzzDigestToken(f *testing.F) {
	f.Add(strings.Repeat("A", 43))
	f.Add(strings.Repeat("_", 42) + "\n")
	f.Fuzz(func(t *testing.T, s string) {
		digest, ok := DigestToken(s)
		if !ok {
			return
		}
		raw, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil || base64.RawURLEncoding.EncodeToString(raw) != s || sha256.Sum256(raw) != digest {
			t.Errorf("%q is accepted", s)
		}
	})
}
