package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// RelyingParty is an application that signs its users in, as developers write it:
// with github.com/coreos/go-oidc, which knows the issuer and nothing else of the
// server.
type RelyingParty struct {
	*Application
	Provider *oidc.Provider
	Config   oauth2.Config

	nonce, verifier string
}

// NewRelyingParty registers a relying party, which then reads the server's metadata.
func (w *World) NewRelyingParty(a *Application, scopes ...string) *RelyingParty {
	w.t.Helper()
	r := &RelyingParty{Application: a, nonce: "the nonce of " + a.ID, verifier: Verifier}
	var err error
	if r.Provider, err = oidc.NewProvider(r.Context(), w.Issuer); err != nil {
		w.t.Fatal(err)
	}
	r.Config = oauth2.Config{
		ClientID: a.ID, ClientSecret: a.Secret, RedirectURL: a.ReturnURL, Endpoint: r.Provider.Endpoint(),
		Scopes: append([]string{oidc.ScopeOpenID}, scopes...),
	}
	return r
}

// Context makes the libraries talk to this world.
func (r *RelyingParty) Context() context.Context {
	return oidc.ClientContext(context.Background(), r.world.Client())
}

// StartURL is where the relying party sends a user. Pairs of names and values are
// parameters beside its own.
func (r *RelyingParty) StartURL(pairs ...string) string {
	options := []oauth2.AuthCodeOption{oidc.Nonce(r.nonce), oauth2.S256ChallengeOption(r.verifier)}
	for i := 0; i+1 < len(pairs); i += 2 {
		options = append(options, oauth2.SetAuthURLParam(pairs[i], pairs[i+1]))
	}
	return r.Config.AuthCodeURL("the state", options...)
}

// SignedIn is what a relying party learned of a user.
type SignedIn struct {
	Token   *oauth2.Token
	ID      *oidc.IDToken
	RawID   string
	Claims  map[string]any
	Profile map[string]any // of UserInfo
}

// Finish does what the return URL does: it takes the code, and believes nothing
// that it has not verified.
func (r *RelyingParty) Finish(back url.Values) (SignedIn, error) {
	var s SignedIn
	if back.Get("error") != "" {
		return s, fmt.Errorf("sim: sent back with %s", back.Get("error"))
	}
	// RFC 9207 section 2.4.
	if back.Get("state") != "the state" || back.Get("iss") != r.world.Issuer {
		return s, fmt.Errorf("sim: not an answer of this issuer to this request: %v", back)
	}
	var err error
	if s.Token, err = r.Config.Exchange(r.Context(), back.Get("code"), oauth2.VerifierOption(r.verifier)); err != nil {
		return s, err
	}
	if err = r.Read(&s); err != nil {
		return s, err
	}
	if s.ID.Nonce != r.nonce {
		return s, fmt.Errorf("sim: the ID token has the nonce %q", s.ID.Nonce)
	}
	user, err := r.Provider.UserInfo(r.Context(), oauth2.StaticTokenSource(s.Token))
	if err != nil {
		return s, err
	}
	if user.Subject != s.ID.Subject { // Core section 5.3.4
		return s, fmt.Errorf("sim: UserInfo is of %s and the ID token of %s", user.Subject, s.ID.Subject)
	}
	return s, user.Claims(&s.Profile)
}

// Read verifies the ID token that came with s.Token.
func (r *RelyingParty) Read(s *SignedIn) (err error) {
	s.RawID, _ = s.Token.Extra("id_token").(string)
	if s.ID, err = r.Verify(s.RawID); err != nil {
		return err
	}
	if err = s.ID.VerifyAccessToken(s.Token.AccessToken); err != nil {
		return err
	}
	var claims json.RawMessage
	if err = s.ID.Claims(&claims); err != nil {
		return err
	}
	s.Claims = nil
	return json.Unmarshal(claims, &s.Claims)
}

// Verify verifies an ID token by what the server's metadata says.
func (r *RelyingParty) Verify(raw string) (*oidc.IDToken, error) {
	return r.Provider.Verifier(&oidc.Config{ClientID: r.ID}).Verify(r.Context(), raw)
}

// SignIn has a person sign in to the relying party.
func (r *RelyingParty) SignIn(p *Person, pairs ...string) SignedIn {
	r.world.t.Helper()
	page := p.Open(r.StartURL(pairs...))
	if page.Status == 200 && page.Has("Allow") {
		page = page.Press("Allow")
	}
	back, ok := r.Received(page.GoOn())
	if !ok {
		r.world.t.Fatalf("did not come back but to %s (%d):\n%s", page.URL, page.Status, page.Text())
	}
	s, err := r.Finish(back)
	if err != nil {
		r.world.t.Fatal(err)
	}
	return s
}
