package signin

import (
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sync"

	"gatelodge/internal/account"
)

const fresh = "another good password"

func TestRecovery(t *testing.T) {
	w := newWorld(t)
	w.account("ann@example.com", "Ann")
	old := w.browser()
	old.signIn("ann@example.com")

	b := w.browser()
	b.get("/recover").want(t, 200, ">Email</label>", ">Send the link</button>")
	// The Host header has no say in the link (GHSA-2wmj-46rj-qm2w).
	known := b.do("POST", "/recover", url.Values{"email": {"ann@example.com"}}, "Host", "evil.example", "X-Forwarded-Host", "evil.example")
	known.want(t, 200, "Check your mail")
	unknown := b.post("/recover", "email", "bob@example.com")
	if got := strings.ReplaceAll(words(unknown.body), "bob@", "ann@"); unknown.status != 200 || got != words(known.body) {
		t.Errorf("known and unknown address are answered differently:\n%s\n---\n%s", words(known.body), got)
	}

	m := w.inbox(1)[0]
	if m.To != "ann@example.com" || !strings.Contains(m.Text, issuer+"/recover/") || strings.Contains(m.Text, "evil") {
		t.Errorf("mail: %+v", m)
	}
	link := w.link(m)
	b.get(link).want(t, 200, "for ann@example.com", ">New password</label>")
	b.get(link).want(t, 200) // looking does not use it up
	b.post(link, "new_password", "short").want(t, 422, "Choose a longer password")
	b.post(link, "new_password", fresh).leads(t, "/account?done=recovered")
	b.get("/account?done=recovered").want(t, 200, "All other sessions have ended")
	if old.signedIn() {
		t.Error("the old session lives")
	}
	b.post(link, "new_password", "yet another one").want(t, 410, "cannot be used any more")
	b.get(link).want(t, 410)
	w.browser().post("/sign-in", "email", "ann@example.com", "password", password).want(t, 422)
	w.browser().post("/sign-in", "email", "ann@example.com", "password", fresh).leads(t, "/account")
	if told := w.inbox(2)[1]; told.To != "ann@example.com" || !strings.Contains(told.Subject, "was changed") {
		t.Errorf("the owner was told %+v", told)
	}
}

func TestRecoveryLinkEnds(t *testing.T) {
	w := newWorld(t)
	w.account("ann@example.com", "Ann")
	b := w.browser()
	b.post("/recover", "email", "ann@example.com").want(t, 200)
	link := w.link(w.inbox(1)[0])
	w.wait(account.RecoveryLifetime)
	b.get(link).want(t, 410)
	b.post(link, "new_password", fresh).want(t, 410)
	for _, token := range []string{"x", strings.Repeat("A", 43), "%00", "..%2f"} {
		b.get("/recover/"+token).want(t, 410)
	}
}

// Of sixteen who use one link together, one sets the password.
func TestRecoveryWorksOnce(t *testing.T) {
	w := newWorld(t)
	w.account("ann@example.com", "Ann")
	w.browser().post("/recover", "email", "ann@example.com").want(t, 200)
	link := w.link(w.inbox(1)[0])
	var wg sync.WaitGroup
	var won, lost atomic.Int32
	for i := range 16 {
		wg.Go(func() {
			switch got := w.browser().post(link, "new_password", fresh+string(rune('a'+i))); got.status {
			case 303:
				won.Add(1)
			case 410:
				lost.Add(1)
			default:
				t.Errorf("status %d\n%s", got.status, got.body)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || lost.Load() != 15 {
		t.Errorf("%d won and %d lost, want 1 and 15", won.Load(), lost.Load())
	}
}

// The number of mails that strangers can cause to one address is bounded, and the
// answer stays the same.
func TestRecoveryMailsAreBounded(t *testing.T) {
	w := newWorld(t)
	w.account("ann@example.com", "Ann")
	b := w.browser()
	for range 8 {
		b.post("/recover", "email", "ann@example.com").want(t, 200, "Check your mail")
	}
	b.post("/sign-up", "name", "X", "email", "ann@example.com", "password", password).want(t, 200, "Check your mail")
	w.inbox(3)
	time.Sleep(50 * time.Millisecond)
	if n := len(w.inbox(3)); n != 3 {
		t.Errorf("%d mails, want 3", n)
	}
	for range account.SignInByAddress.Rate().Burst - 8 {
		b.post("/recover", "email", "no@example.com").want(t, 200)
	}
	b.post("/recover", "email", "no@example.com").want(t, 429)
}

func TestRecoveryWithoutMail(t *testing.T) {
	w := newWorld(t, onLoopback)
	a := w.account("ann@example.com", "Ann")
	b := w.browser()
	b.get("/recover").want(t, 200, "sends no mail", "gatelodge user recover", "Contact us")
	b.post("/recover", "email", "ann@example.com").want(t, 503, "sends no mail")

	// The operator's link works all the same.
	token, r := account.NewRecovery(a.ID, w.now())
	if err := w.store.CreateRecovery(t.Context(), r, "", w.now()); err != nil {
		t.Fatal(err)
	}
	if got, want := RecoveryLink(issuer+"/", token), issuer+"/recover/"+token; got != want {
		t.Errorf("link %q, want %q", got, want)
	}
	b.post("/recover/"+token, "new_password", fresh).leads(t, "/account?done=recovered")
}
