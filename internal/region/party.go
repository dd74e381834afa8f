package region

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"gatelodge/internal/account"
)

const (
	// patience is how long somebody who signs in waits for a neighbour, in all.
	patience = 8 * time.Second
	// described is how long what a neighbour says of itself counts.
	described = time.Hour
	// answered is how lately a neighbour must have answered for somebody to be sent
	// there: else they would be left with their browser's words for a dead address.
	answered = time.Second
	// pause is between two attempts to reach a neighbour that does not answer, so that
	// who presses Try again does not make everybody wait.
	pause = 2 * time.Second
)

// UnreachableError says that a neighbour did not answer, or not as it should: nobody
// who signs in can do anything about it.
type UnreachableError struct {
	Region string
	cause  error // for the log
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("region: %s: %.500s", e.Region, e.cause)
}

func (e *UnreachableError) Unwrap() error { return e.cause }

// Answered is the error for a neighbour that answers with an error of the protocol.
func Answered(r Region, code string) *UnreachableError {
	return &UnreachableError{r.Name, fmt.Errorf("it answered %q", code)}
}

// ErrRefused: the answer does not prove who signed in, or the code in it was used before.
var ErrRefused = errors.New("region: the answer proves nothing")

// Party signs people in who live in a neighbour. It is safe for concurrent use.
type Party struct {
	Setting
	// ReturnURL is where neighbours send people back to.
	returnURL string
	client    *http.Client
	now       func() time.Time

	mu    sync.Mutex
	known map[string]*neighbour // by issuer
}

// NewParty signs people in by way of transport, which has to guard where it leads.
func NewParty(s Setting, transport http.RoundTripper, now func() time.Time) *Party {
	return &Party{
		Setting: s, returnURL: s.This.Issuer + ReturnPath, now: now, known: map[string]*neighbour{},
		client: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// neighbour is what is remembered of one.
type neighbour struct {
	turn     chan struct{} // held by who is asking it
	provider *provider
	readAt   time.Time
	failure  error
	failedAt time.Time
}

// provider is a neighbour as it described itself, and its keys.
type provider struct {
	*oidc.Provider
	verifier *oidc.IDTokenVerifier
}

func (p *Party) describedBy(r Region, described *oidc.Provider) *provider {
	keys := &http.Client{Transport: &sparing{RoundTripper: p.client.Transport, now: p.now}, CheckRedirect: p.client.CheckRedirect}
	return &provider{described, described.VerifierContext(oidc.ClientContext(context.Background(), keys), &oidc.Config{ClientID: r.Credentials.ClientID, Now: p.now})}
}

// sparing reads a neighbour's keys, and not again within a pause: each token that they
// do not fit would cause it, and anybody may send logout tokens. Those that fit are
// not held up, since their keys are known.
type sparing struct {
	http.RoundTripper
	now func() time.Time

	mu   sync.Mutex
	last time.Time
}

func (s *sparing) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	now := s.now()
	wait := now.Sub(s.last) < pause
	if !wait {
		s.last = now
	}
	s.mu.Unlock()
	if wait {
		return nil, errors.New("the keys were read a moment ago")
	}
	return s.RoundTripper.RoundTrip(r)
}

func (p *Party) neighbour(issuer string) *neighbour {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, ok := p.known[issuer]
	if !ok {
		n = &neighbour{turn: make(chan struct{}, 1)}
		p.known[issuer] = n
	}
	return n
}

// provider gives the neighbour as it described itself at most age ago. It is asked again
// after that, though not by everybody at once while it does not answer.
func (p *Party) provider(ctx context.Context, r Region, age time.Duration) (*provider, error) {
	n := p.neighbour(r.Issuer)
	select {
	case n.turn <- struct{}{}:
		defer func() { <-n.turn }()
	case <-ctx.Done():
		return nil, &UnreachableError{r.Name, ctx.Err()}
	}
	now := p.now()
	if n.provider != nil && now.Sub(n.readAt) < age {
		return n.provider, nil
	}
	if n.failure != nil && now.Sub(n.failedAt) < pause {
		return nil, &UnreachableError{r.Name, n.failure}
	}
	told, err := oidc.NewProvider(ctx, r.Issuer)
	if err != nil {
		n.failure, n.failedAt = err, now
		return nil, &UnreachableError{r.Name, err}
	}
	n.readAt, n.failure = now, nil
	// The one that is known has its keys read already.
	if n.provider == nil || !same(n.provider.Provider, told) {
		n.provider = p.describedBy(r, told)
	}
	return n.provider, nil
}

func same(a, b *oidc.Provider) bool {
	var x, y json.RawMessage
	return a.Claims(&x) == nil && b.Claims(&y) == nil && bytes.Equal(x, y)
}

// reach bounds what is asked of a neighbour for one person.
func (p *Party) reach(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(oidc.ClientContext(ctx, p.client), patience)
}

// Ask is what ties a neighbour's answer to the question.
type Ask struct {
	State, Nonce, Verifier string
	// Again has the person prove once more that it is them.
	Again bool
}

func (p *Party) config(r Region, provider *oidc.Provider) *oauth2.Config {
	endpoint := provider.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInHeader
	return &oauth2.Config{
		ClientID: r.Credentials.ClientID, ClientSecret: r.Credentials.ClientSecret, Endpoint: endpoint,
		RedirectURL: p.returnURL, Scopes: []string{oidc.ScopeOpenID, "profile", "email"},
	}
}

// Begin gives the address at which the person signs in. Its errors are
// *[UnreachableError].
func (p *Party) Begin(ctx context.Context, r Region, a Ask) (string, error) {
	ctx, cancel := p.reach(ctx)
	defer cancel()
	provider, err := p.provider(ctx, r, answered)
	if err != nil {
		return "", err
	}
	options := []oauth2.AuthCodeOption{oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)}
	if a.Again {
		options = append(options, oauth2.SetAuthURLParam("prompt", "login"))
	}
	return p.config(r, provider.Provider).AuthCodeURL(a.State, options...), nil
}

// Person is who has signed in, in the words of their home region.
type Person struct {
	Home  account.Home
	Name  string
	Email string
	// Confirmed: the home region knows that the address is the person's own.
	Confirmed bool
	SignedIn  account.SignedInAtHome
}

// Finish redeems the code of an answer and says who it was. Its errors are ErrRefused
// and *[UnreachableError].
func (p *Party) Finish(ctx context.Context, r Region, a Ask, code string) (Person, error) {
	ctx, cancel := p.reach(ctx)
	defer cancel()
	provider, err := p.provider(ctx, r, described)
	if err != nil {
		return Person{}, err
	}
	token, err := p.config(r, provider.Provider).Exchange(ctx, code, oauth2.VerifierOption(a.Verifier))
	if e, ok := errors.AsType[*oauth2.RetrieveError](err); ok && e.ErrorCode == "invalid_grant" {
		return Person{}, fmt.Errorf("%w: %s did not take the code", ErrRefused, r.Name)
	}
	if err != nil {
		return Person{}, &UnreachableError{r.Name, err}
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := provider.verifier.Verify(ctx, raw)
	if err != nil {
		return Person{}, fmt.Errorf("%w: %v", ErrRefused, err)
	}
	var claims struct {
		AuthTime int64  `json:"auth_time"`
		Session  string `json:"sid"`
	}
	switch err := id.Claims(&claims); {
	case err != nil:
		return Person{}, fmt.Errorf("%w: %v", ErrRefused, err)
	case id.Nonce != a.Nonce, id.Subject == "", len(id.Subject) > 255, claims.AuthTime == 0:
		return Person{}, fmt.Errorf("%w: the ID token is not for this question", ErrRefused)
	}
	told, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return Person{}, &UnreachableError{r.Name, err}
	}
	var named struct {
		Name string `json:"name"`
	}
	// Core section 5.3.4: else it may be somebody else's.
	if err := told.Claims(&named); err != nil || told.Subject != id.Subject {
		return Person{}, fmt.Errorf("%w: what is told of the person is somebody else’s", ErrRefused)
	}
	return Person{
		Home: account.Home{Issuer: r.Issuer, Subject: id.Subject}, Name: named.Name, Email: told.Email, Confirmed: told.EmailVerified,
		SignedIn: account.SignedInAtHome{AuthenticatedAt: time.Unix(claims.AuthTime, 0), Session: claims.Session},
	}, nil
}

// Ended reads a logout token: whose session has ended at home (OpenID Connect
// Back-Channel Logout 1.0 section 2.6). Its errors are ErrRefused and
// *[UnreachableError].
func (p *Party) Ended(ctx context.Context, token string) (h account.Home, session string, err error) {
	r, ok := p.At(issuerOf(token))
	if !ok || r.Credentials.ClientID == "" {
		return h, "", fmt.Errorf("%w: the logout token is of no neighbour", ErrRefused)
	}
	ctx, cancel := p.reach(ctx)
	defer cancel()
	provider, err := p.provider(ctx, r, described)
	if err != nil {
		return h, "", err
	}
	ended, err := provider.verifier.VerifyLogout(ctx, token)
	if err != nil || ended.SessionID == "" || ended.Subject == "" {
		return h, "", fmt.Errorf("%w: %v", ErrRefused, err)
	}
	return account.Home{Issuer: ended.Issuer, Subject: ended.Subject}, ended.SessionID, nil
}

// issuerOf is who a token says that it is of, before anything of it is believed.
func issuerOf(token string) string {
	_, rest, _ := strings.Cut(token, ".")
	payload, _, _ := strings.Cut(rest, ".")
	var claims struct {
		Issuer string `json:"iss"`
	}
	b, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil || json.Unmarshal(b, &claims) != nil {
		return ""
	}
	return claims.Issuer
}

// SignOutURL is where somebody who has signed out here can sign out at home too
// (RP-Initiated Logout 1.0 section 2).
func (p *Party) SignOutURL(ctx context.Context, r Region) (string, error) {
	ctx, cancel := p.reach(ctx)
	defer cancel()
	provider, err := p.provider(ctx, r, described)
	if err != nil {
		return "", err
	}
	var metadata struct {
		EndSession string `json:"end_session_endpoint"`
	}
	if err := provider.Claims(&metadata); err != nil || metadata.EndSession == "" {
		return "", &UnreachableError{r.Name, fmt.Errorf("it names no address for signing out: %w", err)}
	}
	return metadata.EndSession + "?" + url.Values{
		"client_id": {r.Credentials.ClientID}, "post_logout_redirect_uri": {p.This.Issuer + HomePath},
	}.Encode(), nil
}
