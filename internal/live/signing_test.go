package live_test

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/faultdb"
	"gatelodge/internal/live"
	"gatelodge/internal/signing"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/store/storetest"
)

const claims = `{"iss":"` + issuer + `","sub":"somebody"}`

// published are the ids of the keys in the JWKS.
func published(t *testing.T, v *live.View, now time.Time) []string {
	t.Helper()
	text, err := v.JWKS(t.Context(), now)
	if err != nil {
		t.Fatal(err)
	}
	var set struct{ Keys []struct{ Kid string } }
	if err := json.Unmarshal(text, &set); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, k := range set.Keys {
		ids = append(ids, k.Kid)
	}
	slices.Sort(ids)
	return ids
}

// sign gives an ID token and the id of the key that it was signed with.
func sign(t *testing.T, v *live.View, alg signing.Algorithm, now time.Time) (token, kid string) {
	t.Helper()
	token, err := v.SignJWT(t.Context(), alg, signing.IDToken, []byte(claims), now)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(token, ".")
	header, err := base64.RawURLEncoding.DecodeString(first)
	if err != nil {
		t.Fatal(err)
	}
	var h struct{ Kid string }
	if err := json.Unmarshal(header, &h); err != nil {
		t.Fatal(err)
	}
	return token, h.Kid
}

func wantVerified(t *testing.T, v *live.View, what, token string, now time.Time) {
	t.Helper()
	if got, err := v.VerifyJWT(t.Context(), token, signing.IDToken, now); string(got) != claims || err != nil {
		t.Errorf("%s: %s, %v", what, got, err)
	}
}

// TestSigningKeyRotation: the next key is published before it signs, the last one
// for as long as what it signed lives.
func TestSigningKeyRotation(t *testing.T) {
	storetest.Each(t, func(t *testing.T, w *storetest.World) {
		v := newView(t, w)
		now := time.Now()
		before, old := sign(t, v, signing.ES256, now)
		if n := w.Count(t, `signing_keys`); n != 1 {
			t.Errorf("%d keys were made to sign once", n)
		}
		if keys := published(t, v, now); len(keys) != 2 || !slices.Contains(keys, old) { // one of each algorithm
			t.Errorf("published %v, signed with %s", keys, old)
		}
		if err := v.AddSigningKey(t.Context(), signing.ES256, audit.By{At: now}); err != nil {
			t.Fatal(err)
		}
		during, kid := sign(t, v, signing.ES256, now.Add(signing.PublishAhead-time.Second))
		if kid != old {
			t.Error("the next key signs before everybody can know it")
		}
		change := now.Add(signing.PublishAhead)
		after, next := sign(t, v, signing.ES256, change)
		if next == old {
			t.Error("the next key does not sign when it is time")
		}
		for _, at := range []time.Time{now, change, change.Add(signing.MaxLifetime)} {
			if keys := published(t, v, at); !slices.Contains(keys, old) || !slices.Contains(keys, next) {
				t.Errorf("at %v: published %v, which have to be %s and %s", at, keys, old, next)
			}
		}
		if keys := published(t, v, change.Add(signing.Retention)); slices.Contains(keys, old) || !slices.Contains(keys, next) {
			t.Errorf("long after: published %v", keys)
		}
		for name, token := range map[string]string{"before": before, "during": during, "after": after} {
			wantVerified(t, v, name, token, change.Add(time.Minute))
		}
		// A server that starts anew has the same keys.
		again := newView(t, w.Again(t))
		wantVerified(t, again, "after a restart", before, change)
		if got, want := published(t, again, change), published(t, v, change); !slices.Equal(got, want) {
			t.Errorf("after a restart: published %v, before %v", got, want)
		}
		if _, err := v.VerifyJWT(t.Context(), before, signing.LogoutToken, now); err == nil {
			t.Error("an ID token passes for a logout token")
		}
	})
}

// TestSigningKeyOfAnother: what a replica signs with a key of a moment ago is known
// to the others within the bound.
func TestSigningKeyOfAnother(t *testing.T) {
	inBubble(t, func(t *testing.T, w, other *storetest.World) {
		v, replica := newView(t, w), newView(t, other)
		run(t, v)
		run(t, replica)
		token, kid := sign(t, replica, signing.ES256, time.Now())
		time.Sleep(live.Bound)
		wantVerified(t, v, "another's token", token, time.Now())
		if _, mine := sign(t, v, signing.ES256, time.Now()); mine != kid {
			t.Errorf("signs with %s, and the other with %s", mine, kid)
		}
	})
}

// TestNextSigningKeyIsMade while there is still time to publish it, and once the
// database answers; keys that nobody uses are not made at all.
func TestNextSigningKeyIsMade(t *testing.T) {
	inBubble(t, func(t *testing.T, w, _ *storetest.World) {
		v := newView(t, w)
		soon := time.Minute
		begun := time.Now().Add(signing.PublishAhead - signing.RotateAfter + soon)
		if err := v.AddSigningKey(t.Context(), signing.ES256, audit.By{At: begun}); err != nil {
			t.Fatal(err)
		}
		_, old := sign(t, v, signing.ES256, time.Now())
		run(t, v)
		time.Sleep(soon / 2)
		if n := w.Count(t, `signing_keys`); n != 1 {
			t.Errorf("%d keys ahead of time", n)
		}
		time.Sleep(soon)
		if n := w.Count(t, `signing_keys WHERE alg = 'ES256'`); n != 2 || w.Count(t, `signing_keys`) != 2 {
			t.Errorf("%d keys", n)
		}
		if keys := published(t, v, time.Now()); len(keys) != 3 || !slices.Contains(keys, old) {
			t.Errorf("published %v", keys)
		}
		if _, kid := sign(t, v, signing.ES256, time.Now()); kid != old {
			t.Error("it signs before everybody can know it")
		}
	})
}

// TestSigningWithoutDatabase: keys that are there sign and are published whatever
// becomes of the database, also when it is time for the next one.
func TestSigningWithoutDatabase(t *testing.T) {
	w := storetest.New(t, sqldb.SQLite)
	v := newView(t, w)
	now := time.Now()
	keys := published(t, v, now)
	late := now.Add(signing.RotateAfter + time.Hour)
	for n := 1; n <= 3; n++ {
		w.Faults.Fail(n, faultdb.Failed, faultdb.Begin, faultdb.Exec, faultdb.Commit)
		if got := published(t, v, late); !slices.Equal(got, keys) {
			t.Errorf("call %d: published %v, want %v", n, got, keys)
		}
		if _, kid := sign(t, v, signing.RS256, late); !slices.Contains(keys, kid) {
			t.Errorf("call %d: signed with %s", n, kid)
		}
		w.Faults.Reset()
	}
	// Without any key there is nothing to publish, and it is said.
	fresh := storetest.New(t, sqldb.SQLite)
	nothing := newView(t, fresh)
	fresh.Faults.Fail(1, faultdb.Failed)
	if _, err := nothing.JWKS(t.Context(), now); err == nil {
		t.Error("no key, and no error")
	}
	fresh.Faults.Reset()
	fresh.Faults.Fail(1, faultdb.Failed)
	if token, err := nothing.SignJWT(t.Context(), signing.ES256, signing.IDToken, []byte(claims), now); err == nil {
		t.Errorf("signed %s", token)
	}
}
