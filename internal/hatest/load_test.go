package hatest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html"
	randv2 "math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gatelodge/internal/registry"
)

// The kinds of request that are made all the time.
const (
	kindCode     = "code exchange"
	kindRotation = "rotation"
	kindRefresh  = "refresh"
	kindService  = "client credentials"
	kindEdit     = "profile edit"
	kindRemoval  = "consent removal"
)

var kinds = []string{kindCode, kindRotation, kindRefresh, kindService, kindEdit, kindRemoval}

// again is how long a client waits that was told to come back. It is shorter than what
// it was told, so that nothing of the pause is missed.
const again = 200 * time.Millisecond

// load is applications and people at work.
type load struct {
	p        *place
	browser  *http.Client // ada's, who has let the applications in
	remover  *http.Client // bob's
	web, own application  // with a secret, and without one
	service  application
	left     application // the one that is removed
	edited   []application
}

func newLoad(t *testing.T, p *place) *load {
	t.Helper()
	l := &load{p: p, browser: p.signIn(t, ada), remover: p.signIn(t, bob), edited: p.register(t, registry.Web, 2)}
	l.web, l.left = p.register(t, registry.Web, 1)[0], p.register(t, registry.Web, 1)[0]
	l.own, l.service = p.register(t, registry.Native, 1)[0], p.register(t, registry.Service, 1)[0]
	for _, app := range []application{l.web, l.own} {
		if code, got := l.code(l.browser, app, "verifier"); code == "" {
			t.Fatalf("first consent: %v", got)
		}
	}
	return l
}

// any is one of the servers: nobody sticks to one.
func (l *load) any() *gatelodge { return l.p.servers[randv2.IntN(len(l.p.servers))] }

// run starts everybody; they stop when the journal ends.
func (l *load) run(j *journal) *sync.WaitGroup {
	var wg sync.WaitGroup
	loop := func(turn func(*journal)) {
		wg.Go(func() {
			for !j.stopped() {
				turn(j)
			}
		})
	}
	for range 4 {
		loop(l.exchange)
	}
	for range 3 {
		var f *family
		loop(func(j *journal) { f = l.rotate(j, f) })
	}
	loop(l.serve)
	for _, app := range l.edited {
		e := &edited{app: app}
		j.edits = append(j.edits, e)
		loop(func(j *journal) { l.edit(j, e) })
	}
	loop(l.remove)
	return &wg
}

// persist sends a request until it is answered with something else than "later". It
// says how often that was the answer. Any other answer that is not in order ends the
// test: there is no excuse for it.
func (l *load) persist(j *journal, kind string, send func() answer) (got answer, put int) {
	for {
		got = send()
		if !got.later() {
			if got.err != nil || got.status >= 500 {
				j.t.Errorf("%s: %v", kind, got)
			}
			return got, put
		}
		put++
		j.mu.Lock()
		j.later[kind]++
		j.mu.Unlock()
		if put > 600 {
			j.t.Errorf("%s: put off for ever: %v", kind, got)
			return got, put
		}
		time.Sleep(again)
	}
}

func (l *load) token(app application, form url.Values) answer {
	form.Set("client_id", app.id)
	if app.secret != "" {
		form.Set("client_secret", app.secret)
	}
	return l.any().ask(l.p.programs, http.MethodPost, "/oauth2/token", form)
}

// code gets an authorization code, by way of the consent page where one comes.
func (l *load) code(browser *http.Client, app application, verifier string) (string, answer) {
	digest := sha256.Sum256([]byte(verifier))
	q := url.Values{
		"client_id": {app.id}, "redirect_uri": {returnURL}, "response_type": {"code"}, "scope": {"profile"}, "state": {"s"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(digest[:])}, "code_challenge_method": {"S256"},
	}
	got := l.any().ask(browser, http.MethodGet, "/oauth2/authorize?"+q.Encode(), nil)
	for range 3 { // dispatcher, consent
		to, err := url.Parse(got.to)
		if err != nil {
			return "", got
		}
		switch {
		case got.status == http.StatusOK && strings.Contains(got.body, `value="allow"`):
			return l.allow(browser, got)
		case got.to == "":
			return "", got
		case to.Query().Get("code") != "":
			return to.Query().Get("code"), got
		}
		got = l.any().ask(browser, http.MethodGet, to.RequestURI(), nil)
	}
	return "", got
}

// allow presses Allow on a consent page until it is answered.
func (l *load) allow(browser *http.Client, page answer) (string, answer) {
	form := hidden(page.body)
	form.Set("decision", "allow")
	got := l.any().ask(browser, http.MethodPost, page.from, form)
	to, err := url.Parse(got.to)
	if err != nil {
		return "", got
	}
	return to.Query().Get("code"), got
}

// exchange gets a code for tokens. A code whose exchange was put off is sent again, as
// a client does: it may have been used up by the first try, but it is never good twice.
func (l *load) exchange(j *journal) {
	r, put := l.tokens(j, l.browser, l.web)
	if r.refresh == "" {
		return
	}
	if put > 0 {
		j.note("code exchanged")
	}
	j.acknowledged(kindCode, func() { j.redeemed = append(j.redeemed, r) })
	got, _ := l.persist(j, kindRefresh, func() answer {
		return l.token(l.web, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {r.refresh}})
	})
	if got.status == http.StatusOK {
		j.acknowledged(kindRefresh, nil)
	} else {
		j.t.Errorf("a refresh token that was just given: %v", got)
	}
}

// tokens gets a code and exchanges it.
func (l *load) tokens(j *journal, browser *http.Client, app application) (r redeemed, put int) {
	verifier := rand.Text() + rand.Text()
	var code string
	got, _ := l.persist(j, kindCode, func() (got answer) {
		code, got = l.code(browser, app, verifier)
		return got
	})
	if code == "" {
		j.t.Errorf("no code: %v", got)
		return r, 0
	}
	got, put = l.persist(j, kindCode, func() answer {
		return l.redeem(redeemed{app: app, code: code, verifier: verifier})
	})
	switch {
	case got.status == http.StatusOK:
		return redeemed{app: app, code: code, verifier: verifier, refresh: got.text("refresh_token")}, put
	case put > 0 && got.text("error") == "invalid_grant":
		j.note("code used up, nothing given")
	default:
		j.t.Errorf("exchange of a fresh code, put off %d times: %v", put, got)
	}
	return r, put
}

func (l *load) redeem(r redeemed) answer {
	return l.token(r.app, url.Values{"grant_type": {"authorization_code"}, "code": {r.code}, "redirect_uri": {returnURL}, "code_verifier": {r.verifier}})
}

// rotate uses the refresh token of a family for the next one.
func (l *load) rotate(j *journal, f *family) *family {
	if f == nil {
		r, _ := l.tokens(j, l.browser, l.own)
		if r.refresh == "" {
			return nil
		}
		f = &family{app: l.own, last: r.refresh}
		j.mu.Lock()
		defer j.mu.Unlock()
		j.families = append(j.families, f)
		return f
	}
	got, put := l.persist(j, kindRotation, func() answer {
		return l.token(l.own, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {f.last}})
	})
	switch {
	case got.status == http.StatusOK:
		if put > 0 {
			j.note("token rotated")
		}
		j.acknowledged(kindRotation, func() { f.used, f.last = f.last, got.text("refresh_token") })
		return f
	case put > 0 && got.text("error") == "invalid_grant":
		j.note("family ended after a rotation without an answer")
		j.mu.Lock()
		defer j.mu.Unlock()
		f.last = ""
	default:
		j.t.Errorf("rotation, put off %d times: %v", put, got)
	}
	return nil
}

func (l *load) serve(j *journal) {
	got, _ := l.persist(j, kindService, func() answer {
		return l.token(l.service, url.Values{"grant_type": {"client_credentials"}})
	})
	if got.status == http.StatusOK {
		j.acknowledged(kindService, nil)
	} else {
		j.t.Errorf("client credentials: %v", got)
	}
	time.Sleep(20 * time.Millisecond)
}

var seenField = regexp.MustCompile(`name="seen" value="([^"]*)"`)

func webSettings(a application) string {
	return "/console/profiles/" + a.profile.Application.String() + "/web-settings"
}

// edit saves a note with the next number beside a return URL.
func (l *load) edit(j *journal, e *edited) {
	page, _ := l.persist(j, kindEdit, func() answer {
		return l.any().ask(l.browser, http.MethodGet, webSettings(e.app)+"?edit=1", nil)
	})
	seen := seenField.FindStringSubmatch(page.body)
	if seen == nil {
		j.t.Errorf("no form to edit: %v", page)
		return
	}
	j.mu.Lock()
	e.tried++
	n := e.tried
	j.mu.Unlock()
	got := l.any().ask(l.browser, http.MethodPost, webSettings(e.app), url.Values{
		"seen": {html.UnescapeString(seen[1])}, "return_urls.0": {returnURL}, "return_urls_note.0": {fmt.Sprintf("edit %d.", n)},
	})
	switch {
	case got.status == http.StatusSeeOther:
		j.acknowledged(kindEdit, func() { e.done = n })
	case got.later():
		j.mu.Lock()
		j.later[kindEdit]++
		j.mu.Unlock()
		time.Sleep(again)
	default:
		j.t.Errorf("edit: %v", got)
	}
	time.Sleep(20 * time.Millisecond)
}

var (
	noteText    = regexp.MustCompile(`edit (\d+)\.`)
	grantButton = regexp.MustCompile(`name="grant" value="(\d+)"`)
)

// remove lets an application in and takes it back.
func (l *load) remove(j *journal) {
	r, _ := l.tokens(j, l.remover, l.left)
	if r.refresh == "" {
		return
	}
	const path = "/account/applications"
	page, _ := l.persist(j, kindRemoval, func() answer { return l.any().ask(l.remover, http.MethodGet, path, nil) })
	grant := grantButton.FindStringSubmatch(page.body)
	if grant == nil {
		j.t.Errorf("an application that was let in is not there: %v", page)
		return
	}
	got, put := l.persist(j, kindRemoval, func() answer {
		return l.any().ask(l.remover, http.MethodPost, path, url.Values{"grant": {grant[1]}})
	})
	switch {
	case got.status == http.StatusSeeOther:
	case put > 0 && got.status == http.StatusNotFound:
		j.note("consent was removed already") // the first try did it
	default:
		j.t.Errorf("removal, put off %d times: %v", put, got)
		return
	}
	j.acknowledged(kindRemoval, func() { j.removed = append(j.removed, removed{app: l.left, refresh: r.refresh}) })
	time.Sleep(20 * time.Millisecond)
}

// check holds the servers to what the clients were told.
func (l *load) check(t *testing.T, j *journal) {
	t.Helper()
	refused := func(what string, got answer) {
		t.Helper()
		if got.status != http.StatusBadRequest || got.text("error") != "invalid_grant" {
			t.Errorf("%s: %v, want invalid_grant", what, got)
		}
	}
	refresh := func(app application, token string) answer {
		return l.token(app, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
	}
	for _, r := range j.redeemed {
		if got := refresh(r.app, r.refresh); got.status != http.StatusOK {
			t.Errorf("a refresh token that was given: %v", got)
		}
	}
	// Afterwards: it ends what the code has begun, and of very many in one second all.
	for _, r := range j.redeemed {
		refused("a code that was exchanged", l.redeem(r))
	}
	for _, f := range j.families {
		if f.last == "" {
			continue
		}
		got := refresh(f.app, f.last)
		if got.status != http.StatusOK {
			t.Errorf("the newest refresh token of a family: %v", got)
			continue
		}
		f.used, f.last = f.last, got.text("refresh_token")
	}
	for _, e := range j.edits {
		got := l.any().ask(l.browser, http.MethodGet, webSettings(e.app), nil)
		n := 0
		if found := noteText.FindStringSubmatch(got.body); found != nil {
			n, _ = strconv.Atoi(found[1])
		}
		if n < e.done || n > e.tried {
			t.Errorf("edit %d is there; %d was acknowledged and %d tried", n, e.done, e.tried)
		}
	}
	for _, r := range j.removed {
		refused("a refresh token whose consent was removed", refresh(r.app, r.refresh))
	}
}
