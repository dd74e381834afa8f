package provider_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gatelodge/internal/sim"
)

// back asks by b and gives the error that the relying party is sent, or "".
func errorAt(t *testing.T, b *sim.Browser, rp *sim.RelyingParty, pairs ...string) string {
	t.Helper()
	page := b.Open(rp.StartURL(pairs...))
	back, ok := rp.Received(page.GoOn())
	if !ok {
		t.Fatalf("%v: stays at %s (%d):\n%s", pairs, page.URL, page.Status, page.Text())
	}
	if back.Get("state") != "the state" {
		t.Errorf("%v: %v", pairs, back)
	}
	return back.Get("error")
}

// TestIDTokenHint: the answer is about the user of the hint or there is none (Core
// sections 3.1.2.1 and 3.1.2.2).
func TestIDTokenHint(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *sim.World) {
		app := w.NewApplication()
		rp := w.NewRelyingParty(app)
		ada, grace := w.SignUp("Ada Lovelace"), w.SignUp("Grace Hopper")
		hint := rp.SignIn(ada).RawID
		rp.SignIn(grace)
		time.Sleep(2 * time.Hour) // it has expired since
		if got := errorAt(t, ada.Browser, rp, "prompt", "none", "id_token_hint", hint); got != "" {
			t.Errorf("her own: %s", got)
		}
		if got := errorAt(t, grace.Browser, rp, "prompt", "none", "id_token_hint", hint); got != "login_required" {
			t.Errorf("another's, and nobody may be asked: %q", got)
		}
		page := grace.Open(rp.StartURL("id_token_hint", hint))
		if !page.Has("Sign in") {
			t.Fatalf("another's: %d at %s", page.Status, page.URL)
		}
		back, ok := rp.Received(page.Press("Sign in", "Email", grace.Email, "Password", sim.Password))
		if !ok || back.Get("error") != "login_required" {
			t.Errorf("signed in as another again: %v at %s", back, grace.Page.URL)
		}
		page = grace.Open(rp.StartURL("id_token_hint", hint))
		back, _ = rp.Received(page.Press("Sign in", "Email", ada.Email, "Password", sim.Password))
		if got, err := rp.Finish(back); err != nil || got.ID.Subject == "" {
			t.Errorf("signed in as whom it asked for: %v, %v", back, err)
		}
		other := w.NewRelyingParty(w.NewApplication())
		sibling := w.NewRelyingParty(app.Sibling("https://sibling.example/return"))
		for name, wrong := range map[string]string{
			"not a token":                           "x",
			"changed":                               flip(hint),
			"another application's":                 other.SignIn(ada).RawID,
			"another application's, same developer": sibling.SignIn(ada).RawID,
			"an access token":                       rp.SignIn(ada).Token.AccessToken,
			"without signature":                     hint[:strings.LastIndex(hint, ".")+1],
			"oversized":                             strings.Repeat("a", 9000),
		} {
			if got := errorAt(t, ada.Browser, rp, "id_token_hint", wrong); got != "invalid_request" {
				t.Errorf("%s: %q", name, got)
			}
		}
		// Without openid it is a parameter like any other.
		if got := ada.Authorize(app, sim.Standard, "id_token_hint", "x"); got.Get("code") == "" {
			t.Errorf("without openid: %v", got)
		}
	})
}

// TestConsentIsTheHintedUsers: who is signed in when the page is answered has to be
// the one that was asked for, too.
func TestConsentIsTheHintedUsers(t *testing.T) {
	w := sim.New(t)
	rp := w.NewRelyingParty(w.NewApplication(), "profile")
	ada, grace := w.SignUp("Ada Lovelace"), w.SignUp("Grace Hopper")
	hint := rp.SignIn(ada).RawID
	page := ada.Open(rp.StartURL("id_token_hint", hint, "prompt", "consent"))
	if !page.Has("Allow") {
		t.Fatalf("%d at %s", page.Status, page.URL)
	}
	grace.SignIn(ada.Browser)
	after := page.Press("Allow", "account", itoa(grace.ID))
	if !after.Has("Sign in") {
		t.Errorf("%d at %s:\n%s", after.Status, after.URL, after.Text())
	}
}

// TestLoginHint fills in the address, and nothing that is none.
func TestLoginHint(t *testing.T) {
	w := sim.New(t)
	rp := w.NewRelyingParty(w.NewApplication())
	for hint, want := range map[string]string{
		"ada@example.com": `value="ada@example.com"`, `"><script>alert(1)</script>`: "", "ada": "", "+44 20 7946 0000": "",
	} {
		page := w.NewBrowser().Open(rp.StartURL("login_hint", hint))
		if !page.Has("Sign in") || !strings.Contains(page.Body, want) || strings.Contains(page.Body, "<script>alert") {
			t.Errorf("%q: %d at %s", hint, page.Status, page.URL)
		}
		if want == "" && strings.Contains(page.Body, `name="email" value="`+hint) {
			t.Errorf("%q is filled in", hint)
		}
	}
}

// TestACR: ID tokens tell how the user signed in, and nothing that is not so (Core
// sections 2 and 5.5.1.1).
func TestACR(t *testing.T) {
	w := sim.New(t)
	rp := w.NewRelyingParty(w.NewApplication())
	ada := w.SignUp("Ada Lovelace")
	const own = "urn:gatelodge:acr:password"
	for name, pairs := range map[string][]string{
		"not asked":           nil,
		"wished":              {"acr_values", "urn:mace:incommon:iap:silver"},
		"wished by claims":    {"claims", `{"id_token":{"acr":{"values":["phr"]}}}`},
		"essential, any":      {"claims", `{"id_token":{"acr":{"essential":true}}}`},
		"essential, this one": {"claims", `{"id_token":{"acr":{"essential":true,"values":["phr","` + own + `"]}}}`},
	} {
		got := rp.SignIn(ada, pairs...)
		if got.Claims["acr"] != own || !slices.Equal(got.Claims["amr"].([]any), []any{"pwd"}) {
			t.Errorf("%s: acr %v, amr %v", name, got.Claims["acr"], got.Claims["amr"])
		}
	}
	for _, claims := range []string{`{"id_token":{"acr":{"essential":true,"values":["phr","phrh"]}}}`, `{"id_token":{"acr":{"essential":true,"value":"phr"}}}`} {
		if got := errorAt(t, ada.Browser, rp, "claims", claims); got != "unmet_authentication_requirements" {
			t.Errorf("%s: %q", claims, got)
		}
	}
}

// TestClaims: what is asked for by claims is told where it was asked for, once the
// user has let it go (Core section 5.5).
func TestClaims(t *testing.T) {
	w := sim.New(t)
	for _, tt := range []struct {
		name, claims, scope string
		// asked are the lines of the consent page.
		asked    []string
		untick   string
		id, info map[string]any // beside what is always told
	}{
		{"at UserInfo", `{"userinfo":{"email":null}}`, "openid", []string{"openid", "email"}, "", map[string]any{}, map[string]any{"email": true}},
		{"in the ID token", `{"id_token":{"name":{"essential":true},"email_verified":null}}`, "openid", []string{"openid", "profile", "email"}, "", map[string]any{"name": true, "email_verified": true}, map[string]any{}},
		{"in both", `{"id_token":{"email":{"essential":true}},"userinfo":{"email":{"essential":true}}}`, "openid", []string{"openid", "email"}, "", map[string]any{"email": true}, map[string]any{"email": true}},
		{"unticked", `{"userinfo":{"email":null},"id_token":{"email":null}}`, "openid", []string{"openid", "email"}, "email", map[string]any{}, map[string]any{}},
		{"beside scopes", `{"id_token":{"email":null}}`, "openid email profile", []string{"openid", "email", "profile"}, "", map[string]any{"email": true, "email_verified": true, "name": true, "updated_at": true}, map[string]any{"email": true, "email_verified": true, "name": true, "updated_at": true}},
		{"no postal code entered", `{"id_token":{"address":{"essential":true}}}`, "openid", []string{"openid", "address"}, "", map[string]any{}, map[string]any{}},
		{"not known", `{"userinfo":{"picture":{"essential":true},"https://x.example/y":null}}`, "openid", []string{"openid"}, "", map[string]any{}, map[string]any{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.Use(t)
			rp := w.NewRelyingParty(w.NewApplication(), strings.Fields(tt.scope)[1:]...)
			ada := w.SignUp("Ada Lovelace")
			page := ada.Open(rp.StartURL("claims", tt.claims))
			if got := strings.Count(page.Body, `class="consent-detail"`); got != len(tt.asked) {
				t.Errorf("%d lines, want %v:\n%s", got, tt.asked, page.Text())
			}
			var fields []string
			for _, scope := range tt.asked {
				if strings.Contains(page.Body, `name="scope" value="`+scope+`"`) && scope != tt.untick {
					fields = append(fields, "scope", scope)
				}
			}
			back, _ := rp.Received(page.Press("Allow", fields...))
			if back.Get("scope") != tt.scope {
				t.Errorf("scope %q, want what was asked for by scope: %q", back.Get("scope"), tt.scope)
			}
			got, err := rp.Finish(back)
			if err != nil {
				t.Fatal(err)
			}
			told := func(claims map[string]any) map[string]any {
				found := map[string]any{}
				for _, name := range []string{"name", "email", "email_verified", "address", "updated_at"} {
					if claims[name] != nil {
						found[name] = true
					}
				}
				return found
			}
			if diff := cmp.Diff(tt.id, told(got.Claims)); diff != "" {
				t.Errorf("ID token (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(tt.info, told(got.Profile)); diff != "" {
				t.Errorf("UserInfo (-want +got)\n%s", diff)
			}
			// A refresh tells the same.
			again := sim.SignedIn{}
			refreshed := rp.Refresh(sim.Standard, got.Token.RefreshToken)
			if refreshed.Text("scope") != got.Token.Extra("scope") {
				t.Errorf("scope %q, then %q", got.Token.Extra("scope"), refreshed.Text("scope"))
			}
			again.Claims = claimsOf(t, refreshed.Text("id_token"))
			if diff := cmp.Diff(tt.id, told(again.Claims)); diff != "" {
				t.Errorf("ID token of the refresh (-want +got)\n%s", diff)
			}
			info := w.Get("/oauth2/userinfo", "Authorization", "Bearer "+refreshed.Text("access_token"))
			var profile map[string]any
			if err := json.Unmarshal([]byte(info.Body), &profile); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.info, told(profile)); diff != "" {
				t.Errorf("UserInfo after the refresh (-want +got)\n%s", diff)
			}
			// What opens Login with Amazon's profile is the scope, and no claim.
			if got := w.UserProfile(refreshed.Text("access_token")); !strings.Contains(tt.scope, "email") && got.Text("email") != "" {
				t.Errorf("the profile tells %v", got)
			}
		})
	}
}

func claimsOf(t *testing.T, jwt string) (claims map[string]any) {
	t.Helper()
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		t.Fatalf("not a JWT: %q", jwt)
	}
	if err := json.Unmarshal(decode(t, parts[1]), &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// TestClaimsTakenBack: with the consent goes what it let out, and the next request
// asks again.
func TestClaimsTakenBack(t *testing.T) {
	w := sim.New(t)
	rp := w.NewRelyingParty(w.NewApplication())
	ada := w.SignUp("Ada Lovelace")
	const claims = `{"userinfo":{"email":{"essential":true}}}`
	if got := errorAt(t, ada.Browser, rp, "prompt", "none", "claims", claims); got != "consent_required" {
		t.Errorf("never asked: %q", got)
	}
	rp.SignIn(ada)
	if got := errorAt(t, ada.Browser, rp, "prompt", "none", "claims", claims); got != "consent_required" {
		t.Errorf("asked for openid alone: %q", got)
	}
	got := rp.SignIn(ada, "claims", claims)
	if got.Profile["email"] != ada.Email {
		t.Errorf("UserInfo %v", got.Profile)
	}
	if got := errorAt(t, ada.Browser, rp, "prompt", "none", "claims", claims); got != "" {
		t.Errorf("asked before: %q", got)
	}
	// Another code of the same grant does not have what it did not ask for.
	if got := rp.SignIn(ada); got.Profile["email"] != nil {
		t.Errorf("not asked for: %v", got.Profile)
	}
	ada.Open("/account/applications").Press("Remove")
	if info := w.Get("/oauth2/userinfo", "Authorization", "Bearer "+got.Token.AccessToken); info.Status != http.StatusUnauthorized {
		t.Errorf("after Remove: %v", info)
	}
}

// TestClaimsOfSubject: a sub that is asked for is the only one that is answered (Core
// section 5.5.1).
func TestClaimsOfSubject(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *sim.World) {
		rp := w.NewRelyingParty(w.NewApplication())
		ada, grace := w.SignUp("Ada Lovelace"), w.SignUp("Grace Hopper")
		first := rp.SignIn(ada)
		rp.SignIn(grace)
		time.Sleep(time.Minute)
		claims := `{"id_token":{"sub":{"value":"` + first.ID.Subject + `"}}}`
		if got := errorAt(t, ada.Browser, rp, "prompt", "none", "claims", claims); got != "" {
			t.Errorf("herself: %q", got)
		}
		for name, pairs := range map[string][]string{
			"by value":    {"claims", claims},
			"by values":   {"claims", `{"id_token":{"sub":{"values":["x","` + first.ID.Subject + `"]}}}`},
			"at UserInfo": {"claims", `{"userinfo":{"sub":{"value":"` + first.ID.Subject + `"}}}`},
		} {
			if got := errorAt(t, grace.Browser, rp, append(pairs, "prompt", "none")...); got != "login_required" {
				t.Errorf("%s: %q", name, got)
			}
			if page := grace.Open(rp.StartURL(pairs...)); !page.Has("Sign in") {
				t.Errorf("%s: %d at %s", name, page.Status, page.URL)
			}
		}
		if got := errorAt(t, ada.Browser, rp, "claims", `{"id_token":{"sub":{"value":"another"}}}`, "id_token_hint", first.RawID); got != "invalid_request" {
			t.Errorf("hint and claims disagree: %q", got)
		}
	})
}

// TestClaimsBeyondTheProfile: a claim is no way around what an application may ask for.
func TestClaimsBeyondTheProfile(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	rp := w.NewRelyingParty(app)
	ada := w.SignUp("Ada Lovelace")
	for _, wrong := range []string{"[]", "null", "x", `{"userinfo":[]}`, `{"id_token":{"acr":5}}`, `{"id_token":{"acr":{"values":{}}}}`, strings.Repeat("a", 8193)} {
		if got := errorAt(t, ada.Browser, rp, "claims", wrong); got != "invalid_request" {
			t.Errorf("%.40s: %q", wrong, got)
		}
	}
	// Without openid they say nothing, however they are made.
	got := app.Redeem(sim.Standard, ada.Code(app, sim.Standard, "scope", "profile:user_id", "claims", `{"userinfo":{"email":null}}`))
	if info := w.UserProfile(got.Text("access_token")); info.Text("email") != "" {
		t.Errorf("without openid: %v", info)
	}
	if back := ada.Authorize(app, sim.Standard, "scope", "profile:user_id", "claims", "["); back.Get("code") == "" {
		t.Errorf("without openid: %v", back)
	}
	// All that was asked for by scope is left out, and the rest is no answer.
	page := ada.Open(app.AuthorizeURL(sim.Standard, "scope", "openid", "scope_data", `{"openid":{"essential":false}}`, "claims", `{"userinfo":{"email":{"essential":true}}}`))
	if after := page.Press("Allow", "scope", ""); after.Status != http.StatusUnprocessableEntity {
		t.Errorf("claims without a scope: %d at %s", after.Status, after.URL)
	}
}
