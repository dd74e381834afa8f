package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/gofrs/flock"
	"golang.org/x/oauth2"
)

var errNotLoggedIn = errors.New("nobody is logged in: run report-downloader login")

// kept is what the file of tokens holds.
type kept struct {
	// Gatelodge and ClientID are whose tokens these are: they are sent nowhere else.
	Gatelodge string        `json:"gatelodge"`
	ClientID  string        `json:"client_id"`
	Token     *oauth2.Token `json:"token"`
}

func readTokens(s settings) (*oauth2.Token, error) {
	info, err := os.Stat(s.tokens)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errNotLoggedIn
	case err != nil:
		return nil, err
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("others can read the tokens in %s: make it yours alone (chmod 600), and log in again if somebody may have read them", s.tokens)
	}
	text, err := os.ReadFile(s.tokens)
	if err != nil {
		return nil, err
	}
	var k kept
	if err := json.Unmarshal(text, &k); err != nil || k.Token == nil {
		return nil, fmt.Errorf("%s holds no tokens: run report-downloader login", s.tokens)
	}
	if k.Gatelodge != s.gatelodge || k.ClientID != s.clientID {
		return nil, fmt.Errorf("the tokens in %s are for %s at %s: log in again, or name another file with --tokens", s.tokens, k.ClientID, k.Gatelodge)
	}
	return k.Token, nil
}

func writeTokens(s settings, token *oauth2.Token) error {
	return replace(s.tokens, kept{s.gatelodge, s.clientID, token})
}

// replace writes a file of mode 0600 whole, or leaves the one that is there.
func replace(path string, content any) error {
	text, err := json.MarshalIndent(content, "", " ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(cmp.Or(err, f.Sync()), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name()) // best effort
	}
	return err
}

// lockTokens keeps other runs from the tokens until unlock is called.
func lockTokens(s settings) (unlock func() error, err error) {
	lock := flock.New(s.tokens + ".lock")
	return lock.Unlock, lock.Lock()
}

// tokens has the access token, and gets another when it has ended.
type tokens struct {
	settings
	client *http.Client // for Gatelodge

	mu    sync.Mutex
	token *oauth2.Token
}

// access gives an access token other than the one that was refused.
func (t *tokens) access(ctx context.Context, refused string) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	good := func() bool { return t.token.Valid() && t.token.AccessToken != refused }
	if good() {
		return t.token.AccessToken, nil
	}
	// Refresh tokens may be good for one use (applications without a secret): another
	// run must not use the same, and may have another already.
	unlock, err := lockTokens(t.settings)
	if err != nil {
		return "", err
	}
	defer unlock()
	if t.token, err = readTokens(t.settings); err != nil || good() {
		return t.token.AccessToken, err
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, t.client)
	fresh, err := t.oauth().TokenSource(ctx, &oauth2.Token{RefreshToken: t.token.RefreshToken}).Token()
	if err != nil {
		return "", explain(err)
	}
	t.token = fresh
	return fresh.AccessToken, writeTokens(t.settings, fresh) // before anything else uses it
}

// oauth is the configuration of the library.
func (s settings) oauth() *oauth2.Config {
	return &oauth2.Config{
		ClientID: s.clientID, ClientSecret: s.secret, RedirectURL: s.returnURL, Scopes: []string{s.scope},
		Endpoint: oauth2.Endpoint{
			AuthURL: s.gatelodge + "/oauth2/authorize", TokenURL: s.gatelodge + "/oauth2/token",
			DeviceAuthURL: s.gatelodge + "/oauth2/device_authorization", AuthStyle: oauth2.AuthStyleInParams,
		},
	}
}

// explain puts Gatelodge's refusals into words, and says what to do.
func explain(err error) error {
	refused, ok := errors.AsType[*oauth2.RetrieveError](err)
	if err == nil {
		return nil
	}
	if !ok {
		return fmt.Errorf("cannot ask Gatelodge: %w", err)
	}
	said := "Gatelodge says: " + cmp.Or(refused.ErrorDescription, refused.ErrorCode, refused.Response.Status)
	if refused.ErrorCode != "" && refused.ErrorDescription != "" {
		said += " (" + refused.ErrorCode + ")"
	}
	switch refused.ErrorCode {
	case "invalid_grant":
		said += ". The authorization has ended, or its user took it back: run report-downloader login"
	case "invalid_client", "unauthorized_client":
		said += ". Check --client-id and the client secret against the page Web Settings of the security profile"
	}
	return errors.New(said)
}
