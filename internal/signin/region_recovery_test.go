package signin

import (
	"strings"
	"testing"

	"gatelodge/internal/account"
	"gatelodge/internal/audit"
	"gatelodge/internal/store"
)

// TestRecoveryOfAnotherRegion: whose password is kept elsewhere is told so by mail, and by
// mail alone. A link would open the account after its home has closed it.
func TestRecoveryOfAnotherRegion(t *testing.T) {
	w := newWorld(t)
	if _, err := w.store.CreateAccount(t.Context(), store.NewAccount{
		Email: "hilda@example.com", EmailKey: "hilda@example.com", Name: "Hilda", Confirmed: w.now(),
		Home: &account.Home{Issuer: "https://eu.example.com", Subject: "HILDA"},
	}, audit.By{At: w.now()}); err != nil {
		t.Fatal(err)
	}
	there := w.browser().post("/recover", "email", "hilda@example.com")
	nobody := w.browser().post("/recover", "email", "nobody@example.com")
	there.want(t, 200, "Check your mail")
	if strings.ReplaceAll(there.body, "hilda@", "x@") != strings.ReplaceAll(nobody.body, "nobody@", "x@") {
		t.Error("the page tells who has an account")
	}
	mail := w.inbox(1)[0]
	if mail.To != "hilda@example.com" || !strings.Contains(mail.Text, "https://eu.example.com") || strings.Contains(mail.Text, "/recover/") {
		t.Errorf("%+v", mail)
	}
}
