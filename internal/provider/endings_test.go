package provider_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/audit"
	"gatelodge/internal/sim"
)

// TestEndings: whatever ends, its tokens end with it, everywhere and at once.
func TestEndings(t *testing.T) {
	w := sim.New(t)
	tests := []struct {
		name string
		end  func(t *testing.T, app *sim.Application, user *sim.Person)
		// refresh is the error of a refresh afterwards.
		status  int
		refresh string
		// back: a new consent gives new tokens.
		back bool
	}{
		{"the user removes the application", func(t *testing.T, _ *sim.Application, user *sim.Person) {
			user.Open("/account/applications").Press("Remove")
			if user.Page.Has("Remove") {
				t.Fatalf("still there: %s", user.Page.Text())
			}
		}, 400, "invalid_grant", true},
		{"the operator disables the account", func(t *testing.T, _ *sim.Application, user *sim.Person) {
			if err := w.Store.SetAccountDisabled(t.Context(), user.ID, time.Now(), audit.By{At: time.Now()}); err != nil {
				t.Fatal(err)
			}
		}, 400, "invalid_grant", false},
		{"the account is deleted", func(t *testing.T, _ *sim.Application, user *sim.Person) {
			if err := w.Store.DeleteAccount(t.Context(), user.ID, audit.By{At: time.Now()}); err != nil {
				t.Fatal(err)
			}
		}, 400, "invalid_grant", false},
		{"the operator suspends the profile", func(_ *testing.T, app *sim.Application, _ *sim.Person) { app.Suspend() }, 400, "unauthorized_client", false},
		{"the developer deletes the profile", func(_ *testing.T, app *sim.Application, _ *sim.Person) { app.Delete() }, 401, "invalid_client", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			app := w.NewApplication()
			user := w.SignUp("Ada Lovelace")
			given := app.Redeem(sim.Amazon, user.Code(app, sim.Amazon))
			unused := user.Code(app, sim.Amazon)
			access, refresh := given.Text("access_token"), given.Text("refresh_token")
			if got := w.UserProfile(access); got.Status != http.StatusOK {
				t.Fatalf("before: %v", got)
			}
			tt.end(t, app, user)
			if got := app.Refresh(sim.Amazon, refresh); got.Status != tt.status || got.Text("error") != tt.refresh {
				t.Errorf("refresh: %v, want %d %s", got, tt.status, tt.refresh)
			}
			if got := app.Redeem(sim.Amazon, unused); got.Status != tt.status || got.Text("error") != tt.refresh {
				t.Errorf("code made before: %v, want %d %s", got, tt.status, tt.refresh)
			}
			for where, got := range map[string]sim.Answer{
				"tokeninfo": w.TokenInfo(access), "profile": w.UserProfile(access), "old profile": w.Get("/ap/user/profile", "x-amz-access-token", access),
			} {
				if got.Status != http.StatusBadRequest || got.Text("error") != "invalid_token" {
					t.Errorf("%s: %v", where, got)
				}
			}
			if tt.back {
				consentPage(t, user, app, app.AuthorizeURL(sim.Amazon)).Press("Allow")
				if got := app.Redeem(sim.Amazon, user.Page.URL.Query().Get("code")); got.Status != http.StatusOK {
					t.Errorf("after a new consent: %v", got)
				}
				if got := app.Refresh(sim.Amazon, refresh); got.Text("error") != "invalid_grant" {
					t.Errorf("the old refresh token after a new consent: %v", got)
				}
			}
		})
	}
}

// TestSecrets: two live secrets work side by side, an ended one does not, and
// refresh tokens survive the change.
func TestSecrets(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	second := app.AddSecret()
	given := app.Redeem(sim.Amazon, user.Code(app, sim.Amazon))
	refresh := given.Text("refresh_token")
	for _, secret := range []string{app.Secret, second} {
		if got := app.Refresh(sim.Amazon, refresh, "client_secret", secret); got.Status != http.StatusOK || got.Text("refresh_token") != refresh {
			t.Errorf("both live: %v", got)
		}
	}
	app.EndSecret()
	if got := app.Refresh(sim.Amazon, refresh); got.Status != http.StatusUnauthorized || got.Text("error") != "invalid_client" {
		t.Errorf("the ended one: %v", got)
	}
	if got := app.Refresh(sim.Amazon, refresh, "client_secret", second); got.Status != http.StatusOK {
		t.Errorf("the other: %v", got)
	}
}

// TestUnconfirmedEmail: where addresses are confirmed, one is told to applications
// only afterwards (contract.md, "Sign-up").
func TestUnconfirmedEmail(t *testing.T) {
	w := sim.NewWith(t, sim.Options{Issuer: "https://gate.example"})
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	token := app.Redeem(sim.Amazon, user.Code(app, sim.Amazon)).Text("access_token")
	if got := w.UserProfile(token); got.Status != http.StatusOK || strings.Contains(got.Body, "email") {
		t.Errorf("before: %v", got)
	}
	if err := w.Store.ConfirmEmail(t.Context(), user.ID, account.EmailKey(user.Email), audit.By{At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if got := w.UserProfile(token); got.Text("email") != user.Email {
		t.Errorf("after: %v", got)
	}
	for _, c := range user.Cookies() {
		if !strings.HasPrefix(c.Name, "__Host-") {
			t.Errorf("cookie %s could be set by another host of the domain", c.Name)
		}
	}
}

// TestRefusalsReachTheOwner: what the wire does not say stands in the profile's
// list of refusals.
func TestRefusalsReachTheOwner(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	user.Open(app.AuthorizeURL(sim.Amazon, "redirect_uri", app.ReturnURL+"/"))
	app.Redeem(sim.Amazon, "AN-invented")
	app.Redeem(sim.Amazon, "AN-invented", "client_secret", "old")
	w.View.Flush(t.Context())
	refusals, err := w.Store.Refusals(t.Context(), app.Profile.ID)
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, r := range refusals {
		codes = append(codes, r.Endpoint+" "+r.Code)
		if r.Words == "" || r.RequestID == "" {
			t.Errorf("%+v", r)
		}
	}
	slices.Sort(codes)
	want := []string{"/ap/oa invalid_request", "/auth/o2/token invalid_client", "/auth/o2/token invalid_grant"}
	if !slices.Equal(codes, want) {
		t.Errorf("refusals %v, want %v", codes, want)
	}
}
