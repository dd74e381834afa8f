package authz

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"gatelodge/internal/oauth"
	"gatelodge/internal/seal"
)

var issued = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // RFC 7636 appendix B

func allScopes() (s oauth.ScopeSet) {
	for n := range oauth.MaxScopes {
		s = s.With(n)
	}
	return s
}

func challenge(m oauth.ChallengeMethod) oauth.Challenge {
	switch m {
	case oauth.S256:
		sum := sha256.Sum256([]byte(verifier))
		return oauth.Challenge{Method: m, Value: base64.RawURLEncoding.EncodeToString(sum[:])}
	case oauth.Plain:
		return oauth.Challenge{Method: m, Value: verifier}
	}
	return oauth.Challenge{}
}

var (
	methods  = rapid.SampledFrom([]oauth.ChallengeMethod{oauth.PKCENone, oauth.S256, oauth.Plain})
	dialects = rapid.SampledFrom([]oauth.Dialect{oauth.Standard, oauth.LoginWithAmazon})
	ids      = rapid.Int64Range(1, math.MaxInt64)
	seconds  = rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(epoch+rapid.Int64Range(0, math.MaxUint32).Draw(t, "seconds"), 0).UTC()
	})
	families = rapid.Custom(func(t *rapid.T) Family {
		return Family(rapid.SliceOfN(rapid.Byte(), 12, 12).Draw(t, "family"))
	})
	scopeSets = rapid.Custom(func(t *rapid.T) oauth.ScopeSet {
		return set(rapid.SliceOf(rapid.IntRange(0, oauth.MaxScopes-1)).Draw(t, "scopes")...)
	})
)

// extras draws what tokens may carry beyond the usual, each part there or not.
var extras = rapid.Custom(func(t *rapid.T) (e Extra) {
	present := rapid.SliceOfN(rapid.Bool(), 6, 6).Draw(t, "present")
	if present[0] {
		e.Audience = [MaxAudience]int64{ids.Draw(t, "audience"), rapid.Int64Min(0).Draw(t, "second audience")}
	}
	if present[1] {
		e.Device = ids.Draw(t, "device")
	}
	if present[2] {
		e.Key = [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "key"))
	}
	if present[3] {
		e.UserInfo, e.IDToken = rapid.Byte().Draw(t, "userinfo"), rapid.Byte().Draw(t, "id token")
	}
	if present[4] {
		e.Session = ids.Draw(t, "session")
	}
	e.AsAsked = present[5]
	return e
})

func TestPayloadsSurviveTheTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		code := NewCode(ids.Draw(t, "grant"), scopeSets.Draw(t, "scopes"), dialects.Draw(t, "dialect"),
			rapid.String().Draw(t, "redirect"), challenge(methods.Draw(t, "method")), seconds.Draw(t, "issued"))
		same(t, code, Code.AppendBinary, ParseCode, 66)
		code.Nonce, code.Extra = rapid.StringN(0, 512, 512).Draw(t, "nonce"), extras.Draw(t, "extra")
		same(t, code, Code.AppendBinary, ParseCode, 696)

		access := AccessToken{
			ProfileID: ids.Draw(t, "profile"), Scopes: scopeSets.Draw(t, "scopes"), Dialect: dialects.Draw(t, "dialect"),
			IssuedAt: seconds.Draw(t, "issued"), ExpiresAt: seconds.Draw(t, "expires"),
		}
		same(t, access, AccessToken.AppendBinary, ParseAccessToken, 50)
		access.GrantID, access.Family = ids.Draw(t, "grant"), families.Draw(t, "family")
		same(t, access, AccessToken.AppendBinary, ParseAccessToken, 50)
		access.Extra = extras.Draw(t, "extra")
		same(t, access, AccessToken.AppendBinary, ParseAccessToken, 136)

		refresh := RefreshToken{
			GrantID: ids.Draw(t, "grant"), Family: families.Draw(t, "family"), Scopes: scopeSets.Draw(t, "scopes"),
			Dialect: dialects.Draw(t, "dialect"), IssuedAt: seconds.Draw(t, "issued"),
		}
		same(t, refresh, RefreshToken.AppendBinary, ParseRefreshToken, 38)
		refresh.AuthTime, refresh.Rotating, refresh.Step = seconds.Draw(t, "auth time"), true, rapid.Uint32().Draw(t, "step")
		same(t, refresh, RefreshToken.AppendBinary, ParseRefreshToken, 46)
		refresh.Extra = extras.Draw(t, "extra")
		same(t, refresh, RefreshToken.AppendBinary, ParseRefreshToken, 134)
	})
}

// same encodes v behind a prefix, reads it back, and holds the encoding to its
// size. Nothing shorter than the encoding may be read as the same value, and
// nothing may be read at all that says more than can be encoded.
func same[T any](t *rapid.T, v T, encode func(T, []byte) []byte, parse func([]byte) (T, error), limit int) {
	b := encode(v, []byte("prefix"))
	b, ok := bytes.CutPrefix(b, []byte("prefix"))
	if !ok || len(b) > limit {
		t.Fatalf("%d bytes, want at most %d behind the prefix", len(b), limit)
	}
	got, err := parse(b)
	if err != nil {
		t.Fatalf("parse %x: %v", b, err)
	}
	if diff := cmp.Diff(v, got); diff != "" {
		t.Fatalf("round trip (-made +read):\n%s", diff)
	}
	if _, err := parse(append(bytes.Clone(b), make([]byte, 14)...)); !errors.Is(err, ErrPayload) {
		t.Fatalf("with bytes behind it: %v, want ErrPayload", err)
	}
	if cut, err := parse(b[:rapid.IntRange(0, len(b)-1).Draw(t, "cut")]); err == nil && cmp.Equal(v, cut) {
		t.Fatal("a part of the encoding was read as the whole")
	}
}

// Whatever bytes come: no panic, and what is read is written again as it was.
func FuzzParse(f *testing.F) {
	f.Add(NewCode(1, set(0), oauth.Standard, "https://example.com/cb", challenge(oauth.S256), issued).AppendBinary(nil))
	f.Add(AccessToken{GrantID: 1, ProfileID: 2, Scopes: set(1), IssuedAt: issued, ExpiresAt: issued}.AppendBinary(nil))
	f.Add(RefreshToken{GrantID: 1, Scopes: allScopes(), IssuedAt: issued}.AppendBinary(nil))
	f.Add(RefreshToken{GrantID: 1, Scopes: allScopes(), IssuedAt: issued, Rotating: true, Step: 1, AuthTime: issued}.AppendBinary(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := ParseCode(b); err == nil {
			if again, err := ParseCode(c.AppendBinary(nil)); err != nil || again != c {
				t.Errorf("code %+v became %+v, %v", c, again, err)
			}
		}
		if a, err := ParseAccessToken(b); err == nil && !a.ClientOnly() {
			if again, err := ParseAccessToken(a.AppendBinary(nil)); err != nil || again != a {
				t.Errorf("access token %+v became %+v, %v", a, again, err)
			}
		}
		if r, err := ParseRefreshToken(b); err == nil {
			if again, err := ParseRefreshToken(r.AppendBinary(nil)); err != nil || again != r {
				t.Errorf("refresh token %+v became %+v, %v", r, again, err)
			}
		}
	})
}

// The largest values fit what contract.md promises of their texts.
func TestTextsFit(t *testing.T) {
	keys, err := seal.NewKeys("https://login.example.com", []seal.Key{{ID: 1, Secret: [32]byte{1}, From: issued}})
	if err != nil {
		t.Fatal(err)
	}
	code := NewCode(math.MaxInt64, allScopes(), oauth.LoginWithAmazon, strings.Repeat("x", 2000), challenge(oauth.S256), issued)
	code.AuthTime = issued
	plain := code.AppendBinary(nil)
	if len(plain) != 66 {
		t.Errorf("the largest code has %d bytes, want 66", len(plain))
	}
	text, id, err := keys.SealCode(issued, plain)
	if err != nil || len(text) > 128 {
		t.Errorf("the code's text has %d characters, want at most 128 (%v)", len(text), err)
	}
	access := AccessToken{GrantID: math.MaxInt64, Family: Family(id), ProfileID: math.MaxInt64, Scopes: allScopes(), IssuedAt: issued, ExpiresAt: issued.Add(AccessTokenLifetime)}
	refresh := RefreshToken{GrantID: math.MaxInt64, Family: Family(id), Scopes: allScopes(), IssuedAt: issued}
	for purpose, plain := range map[seal.Purpose][]byte{seal.Access: access.AppendBinary(nil), seal.Refresh: refresh.AppendBinary(nil)} {
		text, err := keys.Seal([]byte("gl_at_"), purpose, issued, plain)
		if err != nil || len(text) > 256 {
			t.Errorf("purpose %d: %d characters, far more than needed of the 2,048 (%v)", purpose, len(text), err)
		}
	}
}

func TestCodeExpired(t *testing.T) {
	code := Code{IssuedAt: issued}
	for _, tc := range []struct {
		after time.Duration
		want  bool
	}{
		{-31 * time.Second, true}, // made in the future: no replica's clock is that far ahead
		{-30 * time.Second, false},
		{0, false},
		{5*time.Minute - time.Second, false},
		{5 * time.Minute, true},
	} {
		if got := code.Expired(issued.Add(tc.after)); got != tc.want {
			t.Errorf("after %v: expired %v, want %v", tc.after, got, tc.want)
		}
	}
}

// Whichever of two replicas, with clocks as far apart as they may be, gives a code,
// redeems it, sweeps the table and is asked again: as long as the code is good
// there, the row that says it was redeemed is in the table.
func TestRedemptionsOutliveCodes(t *testing.T) {
	for who := range 16 {
		clock := func(role int) time.Time { return issued.Add(time.Duration(who>>role&1) * 30 * time.Second) }
		code := Code{IssuedAt: clock(0)}
		keptUntil := clock(1).Add(RedemptionRetention)
		for elapsed := time.Duration(0); elapsed < 10*time.Minute; elapsed += time.Second {
			if swept := !keptUntil.After(clock(2).Add(elapsed)); swept && !code.Expired(clock(3).Add(elapsed)) {
				t.Fatalf("%04b: after %v the code is good on one replica and forgotten on the other", who, elapsed)
			}
		}
	}
}

func TestAccessTokenExpired(t *testing.T) {
	token := AccessToken{IssuedAt: issued, ExpiresAt: issued.Add(time.Hour)}
	for _, tc := range []struct {
		after time.Duration
		want  bool
	}{
		{-31 * time.Second, true},
		{-30 * time.Second, false},
		{time.Hour - time.Second, false},
		{time.Hour, true},
	} {
		if got := token.Expired(issued.Add(tc.after)); got != tc.want {
			t.Errorf("after %v: expired %v, want %v", tc.after, got, tc.want)
		}
	}
}

func TestReturnsTo(t *testing.T) {
	code := NewCode(1, set(profile), oauth.Standard, "https://example.com/cb?a=1", oauth.Challenge{}, issued)
	for uri, want := range map[string]bool{
		"https://example.com/cb?a=1": true,
		"https://example.com/cb":     false,
		"https://example.com/cb?a=2": false,
		"https://EXAMPLE.com/cb?a=1": false,
		"":                           false,
	} {
		if got := code.ReturnsTo(uri); got != want {
			t.Errorf("%q: %v, want %v", uri, got, want)
		}
	}
}

func TestVerifiedBy(t *testing.T) {
	for _, tc := range []struct {
		name     string
		made     oauth.Challenge
		verifier string
		want     bool
	}{
		{"S256", challenge(oauth.S256), verifier, true},
		{"S256, another", challenge(oauth.S256), strings.Repeat("a", 43), false},
		{"S256, the challenge itself", challenge(oauth.S256), challenge(oauth.S256).Value, false},
		{"S256, left out", challenge(oauth.S256), "", false},
		{"plain", challenge(oauth.Plain), verifier, true},
		{"plain, another", challenge(oauth.Plain), verifier + "x", false},
		{"plain, left out", challenge(oauth.Plain), "", false},
		// RFC 9700 section 4.8.2: leaving out the challenge does not switch the check off.
		{"none", oauth.Challenge{}, "", true},
		{"none, with a verifier", oauth.Challenge{}, verifier, false},
	} {
		made := NewCode(1, set(profile), oauth.LoginWithAmazon, "https://example.com/cb", tc.made, issued)
		read, err := ParseCode(made.AppendBinary(nil))
		if err != nil {
			t.Fatal(err)
		}
		if got := read.VerifiedBy(tc.verifier); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}
