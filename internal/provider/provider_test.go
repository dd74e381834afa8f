package provider_test

import (
	"encoding/base64"
	"net/url"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/sim"
)

// inVirtualTime gives the test a world in which sleeping takes no time.
func inVirtualTime(t *testing.T, test func(t *testing.T, w *sim.World)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, sim.New(t)) })
}

func itoa(id int64) string { return strconv.FormatInt(id, 10) }

// What an application without a secret adds to its authorization request, and
// changes in its exchange.
var (
	publicAsk    = []string{"code_challenge", sim.S256(sim.Verifier), "code_challenge_method", "S256"}
	publicRedeem = []string{"client_secret", sim.Omit, "code_verifier", sim.Verifier}
)

// clientCredentials is a token request of the application for itself.
func clientCredentials(a *sim.Application, pairs ...string) url.Values {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {a.ID}, "client_secret": {a.Secret}}
	for i := 0; i+1 < len(pairs); i += 2 {
		if form.Set(pairs[i], pairs[i+1]); pairs[i+1] == sim.Omit {
			form.Del(pairs[i])
		}
	}
	return form
}

// decode reads base64url.
func decode(t *testing.T, text string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// by is who changes something past the pages.
func by() audit.By { return audit.By{At: time.Now()} }
