package sim

import (
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gatelodge/internal/faultdb"
)

// TestVirtualTime: inside synctest a world lives hours in a moment.
func TestVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New(t)
		app := w.NewApplication()
		user := w.SignUp("Ada Lovelace")
		code := user.Code(app, Amazon)
		time.Sleep(5*time.Minute + time.Second)
		if got := app.Redeem(Amazon, code); got.Status != 400 {
			t.Errorf("a code of five minutes ago: %v", got)
		}
		code = user.Code(app, Amazon)
		got := app.Redeem(Amazon, code)
		if got.Status != 200 {
			t.Errorf("a fresh code: %v", got)
		}
		if got := w.TokenInfo(got.Text("access_token")); got.Status != 200 {
			t.Errorf("tokeninfo: %v", got)
		}
		time.Sleep(time.Hour)
		if got := w.TokenInfo(got.Text("access_token")); got.Status != 400 {
			t.Errorf("tokeninfo after an hour: %v", got)
		}
	})
}

// TestLogKeepsNoCredential: of a whole flow, failures included, nothing that lets
// anybody in goes to the log.
func TestLogKeepsNoCredential(t *testing.T) {
	w := New(t)
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	user.Open("/sign-in").Press("Sign in", "Email", user.Email, "Password", "not my password")
	code := user.Code(app, Amazon)
	given := app.Redeem(Amazon, code)
	app.Redeem(Amazon, code)
	unused := user.Code(app, Standard)
	w.DB.Fail(1, faultdb.Failed, faultdb.Begin)
	app.Redeem(Standard, unused)
	w.TokenInfo(given.Text("access_token"))
	w.Get("/user/profile?access_token=" + url.QueryEscape(given.Text("access_token")))
	for what, secret := range map[string]string{
		"code": code, "unused code": unused, "access token": given.Text("access_token")[5:], "refresh token": given.Text("refresh_token")[5:],
		"client secret": app.Secret, "password": Password, "wrong password": "not my password", "session": user.Cookies()[0].Value,
		"e-mail address": user.Email, "state": "s t&a=te",
	} {
		if strings.Contains(w.Log(), secret) {
			t.Errorf("the log holds the %s", what)
		}
	}
	if !strings.Contains(w.Log(), "injected fault") {
		t.Error("the log does not tell of the failure")
	}
}
