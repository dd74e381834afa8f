package portal

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"gatelodge/internal/web"
	"gatelodge/slate/store"
)

// attempt is one try to sign in. All that it sends comes from a secret that stays in
// the browser's cookie, so that Slate keeps nothing of tries that come to nothing.
type attempt struct {
	secret, to string
}

// attemptLives is how long somebody may take at Gatelodge.
const attemptLives = 10 * time.Minute

func (a attempt) derive(what string) string {
	sum := sha256.Sum256([]byte(what + "\n" + a.secret))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func (a attempt) state() string    { return a.derive("state") }
func (a attempt) nonce() string    { return a.derive("nonce") }
func (a attempt) verifier() string { return a.derive("verifier") } // RFC 7636 section 4.1: 43 characters

// attemptCookie is the cookie of the attempt with a state: several tabs may be at it.
func attemptCookie(state string) string {
	sum := sha256.Sum256([]byte(state))
	return "sign-in-" + base64.RawURLEncoding.EncodeToString(sum[:6])
}

func (a attempt) cookie() string {
	return a.secret + "." + base64.RawURLEncoding.EncodeToString([]byte(a.to))
}

// readAttempt finds the attempt that an answer belongs to.
func (p *Portal) readAttempt(r *http.Request, state string) (attempt, bool) {
	cookie, err := r.Cookie(p.cookieName(attemptCookie(state)))
	if err != nil {
		return attempt{}, false
	}
	secret, encoded, _ := strings.Cut(cookie.Value, ".")
	to, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return attempt{}, false
	}
	a := attempt{secret, localPath(string(to))}
	return a, secret != "" && subtle.ConstantTimeCompare([]byte(a.state()), []byte(state)) == 1
}

// signIn sends somebody to Gatelodge (OpenID Connect Core section 3.1.2.1).
func (p *Portal) signIn(w http.ResponseWriter, r *http.Request, v visit) error {
	a := attempt{rand.Text(), localPath(r.FormValue("continue"))}
	if v.person.ID != 0 {
		http.Redirect(w, r, a.to, http.StatusSeeOther)
		return nil
	}
	g, err := p.gatelodge(r.Context(), v.now)
	if err != nil {
		return down(err, web.Link{Text: "Try again", URL: signInPath(a.to)})
	}
	p.setCookie(w, attemptCookie(a.state()), a.cookie(), attemptLives)
	http.Redirect(w, r, g.oauth2.AuthCodeURL(a.state(), oidc.Nonce(a.nonce()), oauth2.S256ChallengeOption(a.verifier())), http.StatusSeeOther)
	return nil
}

// signInReturn is the return URL.
func (p *Portal) signInReturn(w http.ResponseWriter, r *http.Request, v visit) error {
	q := r.URL.Query()
	a, ok := p.readAttempt(r, q.Get("state"))
	if !ok {
		if v.person.ID != 0 { // the page was loaded again
			http.Redirect(w, r, "/", http.StatusSeeOther)
			return nil
		}
		return &web.Error{
			Status: http.StatusBadRequest, Title: "This sign-in cannot be finished", Turn: web.YourTurn,
			Detail: "It was not begun in this browser, or it was more than ten minutes ago.",
			Next:   "Sign in again.", Links: []web.Link{{Text: "Sign in", URL: "/sign-in"}},
		}
	}
	p.setCookie(w, attemptCookie(q.Get("state")), "", 0) // good for one answer
	again := web.Link{Text: "Sign in again", URL: signInPath(a.to)}
	g, err := p.gatelodge(r.Context(), v.now)
	if err != nil {
		return down(err, again)
	}
	// RFC 9207 section 2.4: an answer of another server is not for us.
	if iss := q.Get("iss"); iss != p.options.Gatelodge && (iss != "" || g.names) {
		return unbelievable(errors.New("portal: an answer of another issuer"), again)
	}
	if code := q.Get("error"); code != "" {
		return refused(code, again)
	}
	user, err := p.finish(r.Context(), g, a, q.Get("code"))
	if err != nil {
		return signInError(err, again)
	}
	email := user.Email
	if !user.EmailVerified {
		email = "" // an address that anybody can claim opens no invitation
	}
	person, err := p.options.Store.SignIn(r.Context(), user.Subject, user.Name, email, v.now)
	if err == nil {
		err = p.startSession(w, r, v, person, user.SessionID)
	}
	if store.IsUnavailable(err) {
		return notKept(err, again)
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, a.to, http.StatusSeeOther)
	return nil
}

// signedIn is what Gatelodge says of somebody.
type signedIn struct {
	Subject       string
	SessionID     string
	Name          string
	Email         string
	EmailVerified bool
}

// finish takes the code, and believes nothing that is not verified (Core section
// 3.1.3.7).
func (p *Portal) finish(ctx context.Context, g *gatelodge, a attempt, code string) (u signedIn, err error) {
	ctx = p.asking(ctx)
	token, err := g.oauth2.Exchange(ctx, code, oauth2.VerifierOption(a.verifier()))
	if err != nil {
		return u, err
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := g.verifier.Verify(ctx, raw)
	if err != nil && withoutKeys(err) {
		return u, err
	}
	if err != nil {
		return u, &untrusted{err}
	}
	if subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(a.nonce())) != 1 {
		return u, &untrusted{errors.New("the nonce is another")}
	}
	if err := id.VerifyAccessToken(token.AccessToken); err != nil {
		return u, &untrusted{err}
	}
	var session struct {
		ID string `json:"sid"`
	}
	if err := id.Claims(&session); err != nil {
		return u, &untrusted{err}
	}
	info, err := g.provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return u, err
	}
	if info.Subject != id.Subject { // Core section 5.3.4
		return u, &untrusted{errors.New("UserInfo is of somebody else")}
	}
	var profile struct {
		Name string `json:"name"`
	}
	if err := info.Claims(&profile); err != nil {
		return u, err
	}
	return signedIn{id.Subject, session.ID, shorten(profile.Name, maxName), info.Email, info.EmailVerified}, nil
}

// maxName bounds a name in characters.
const maxName = 100

func shorten(s string, limit int) string {
	if runes := []rune(strings.ToValidUTF8(s, "")); len(runes) > limit {
		return string(runes[:limit-1]) + "…"
	}
	return strings.ToValidUTF8(s, "")
}

// untrusted is an answer that says something that cannot be so.
type untrusted struct{ err error }

func (u *untrusted) Error() string { return "portal: not to be believed: " + u.err.Error() }
func (u *untrusted) Unwrap() error { return u.err }

func signInError(err error, again web.Link) *web.Error {
	if _, ok := errors.AsType[*untrusted](err); ok {
		return unbelievable(err, again)
	}
	refusal, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		return down(err, again)
	}
	// What the answer says beside its code stays out of the log.
	err = fmt.Errorf("portal: the token endpoint answered %d %.40q", refusal.Response.StatusCode, refusal.ErrorCode)
	switch {
	case refusal.ErrorCode == "invalid_grant":
		return &web.Error{
			Status: http.StatusBadRequest, Title: "This sign-in cannot be finished", Turn: web.YourTurn,
			Detail: "What Gatelodge sent you back with is no longer good.", Next: "Sign in again.", Links: []web.Link{again}, Err: err,
		}
	case refusal.Response.StatusCode >= http.StatusInternalServerError || refusal.Response.StatusCode == http.StatusTooManyRequests:
		return down(err, again)
	}
	return &web.Error{
		Status: http.StatusBadGateway, Title: "Gatelodge refuses Slate", Turn: web.OurTurn,
		Detail: "Slate’s own registration there does not fit: its client ID, its secret, or its return URL.",
		Next:   "Tell the operator of Slate, with the request id.", Links: []web.Link{{Text: "Contact us", URL: "/help/contact"}, again}, Err: err,
	}
}

func unbelievable(err error, again web.Link) *web.Error {
	return &web.Error{
		Status: http.StatusBadGateway, Title: "You were not signed in", Turn: web.OurTurn,
		Detail: "The answer did not prove that it came from Gatelodge, for this browser and for this sign-in. Slate does not believe it.",
		Next:   "Sign in again. If it happens again, tell the operator of Slate, with the request id.", Links: []web.Link{again, {Text: "Contact us", URL: "/help/contact"}}, Err: err,
	}
}

// notKept is the page for a sign-in that the database could not take. Loading it again
// would not help: the code is used up.
func notKept(err error, again web.Link) *web.Error {
	return &web.Error{
		Status: http.StatusServiceUnavailable, Title: "We cannot sign you in at the moment", Turn: web.OurTurn,
		Detail: "Gatelodge knows you, and Slate could not write it down. Nothing that you did caused it.",
		Next:   "Wait a minute, then sign in again.", Links: []web.Link{again}, RetryAfter: downFor, Err: err,
	}
}

// refused is the page for an answer with an error (RFC 6749 section 4.1.2.1).
func refused(code string, again web.Link) *web.Error {
	switch code {
	case "access_denied":
		return &web.Error{
			Status: http.StatusForbidden, Title: "You were not signed in", Turn: web.YourTurn,
			Detail: "You chose Cancel at Gatelodge. Slate cannot tell who you are without it.", Next: "Sign in again if you want to go on.",
			Links: []web.Link{again, {Text: "Home", URL: "/"}},
		}
	case "temporarily_unavailable", "server_error":
		return down(fmt.Errorf("portal: sent back with %s", code), again)
	}
	return &web.Error{
		Status: http.StatusBadGateway, Title: "Gatelodge refuses Slate", Turn: web.OurTurn,
		Detail: "Slate’s own registration there does not fit what Slate asks for.",
		Next:   "Tell the operator of Slate, with the request id.", Links: []web.Link{{Text: "Contact us", URL: "/help/contact"}, again},
		Err: fmt.Errorf("portal: sent back with %.40q", code),
	}
}

// signOut ends the session here, and goes on to end the one at Gatelodge where that
// can be asked for (RP-Initiated Logout 1.0 section 2).
func (p *Portal) signOut(w http.ResponseWriter, r *http.Request, v visit) error {
	if v.person.ID != 0 {
		if err := p.options.Store.EndSession(r.Context(), v.session); err != nil {
			return err
		}
	}
	p.setCookie(w, sessionCookie, "", 0)
	to := SignedOutPath
	// Signing out here does not wait for Gatelodge to be up.
	if g, err := p.gatelodge(r.Context(), v.now); err == nil && v.person.ID != 0 {
		if u, err := url.Parse(g.endSession); err == nil && g.endSession != "" {
			q := u.Query()
			q.Set("client_id", p.options.ClientID)
			if p.options.PostLogoutURL != "" {
				q.Set("post_logout_redirect_uri", p.options.PostLogoutURL)
			}
			u.RawQuery = q.Encode()
			to = u.String()
		}
	}
	web.AllowFormAction(w, p.origin)
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

func (p *Portal) signedOut(w http.ResponseWriter, r *http.Request, v visit) error {
	if v.person.ID != 0 {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return nil
	}
	return p.render(w, r, v, http.StatusOK, "signed-out", web.Page{Title: "Signed out", Narrow: true}, p.options.Gatelodge)
}
