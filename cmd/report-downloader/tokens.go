package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync"

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
	f, err := os.Open(s.tokens)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNotLoggedIn
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("others can read the tokens in %s: make it yours alone (chmod 600), and log in again if somebody may have read them", s.tokens)
	}
	text, err := io.ReadAll(f)
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
	text, err := json.MarshalIndent(kept{s.gatelodge, s.clientID, token}, "", "  ")
	if err != nil {
		return err
	}
	return replace(s.tokens, append(text, '\n'))
}

// replace writes a file of mode 0600 whole, or leaves the one that is there.
func replace(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(cmp.Or(err, f.Sync()), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name()) // best effort
	}
	return err
}

// session has the access token, and gets another when it has ended.
type session struct {
	settings
	client *http.Client // for Gatelodge

	mu    sync.Mutex
	token *oauth2.Token
}

// access gives an access token other than the one that was refused.
func (s *session) access(ctx context.Context, refused string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token.Valid() && s.token.AccessToken != refused {
		return s.token.AccessToken, nil
	}
	// Refresh tokens may be good for one use: another run must not use the same.
	unlock, err := lock(s.tokens+".lock", waiting)
	if err != nil {
		return "", err
	}
	defer unlock()
	if s.token, err = readTokens(s.settings); err != nil {
		return "", err
	}
	if s.token.Valid() && s.token.AccessToken != refused {
		return s.token.AccessToken, nil
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, s.client)
	fresh, err := s.oauth(s.standard).TokenSource(ctx, &oauth2.Token{RefreshToken: s.token.RefreshToken}).Token()
	if err != nil {
		return "", s.explain(err)
	}
	s.token = fresh
	return fresh.AccessToken, writeTokens(s.settings, fresh)
}

// oauth is the configuration of the library, with the addresses of one dialect.
func (s settings) oauth(standard bool) *oauth2.Config {
	c := &oauth2.Config{ClientID: s.clientID, ClientSecret: s.secret, RedirectURL: s.returnURL, Scopes: []string{s.scope}}
	c.Endpoint = oauth2.Endpoint{AuthURL: s.gatelodge + "/ap/oa", TokenURL: s.gatelodge + "/auth/o2/token", DeviceAuthURL: s.gatelodge + "/auth/o2/create/codepair"}
	if standard {
		c.Endpoint = oauth2.Endpoint{AuthURL: s.gatelodge + "/oauth2/authorize", TokenURL: s.gatelodge + "/oauth2/token", DeviceAuthURL: s.gatelodge + "/oauth2/device_authorization"}
	}
	c.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	return c
}

// explain puts Gatelodge's refusals into words, and says what to do.
func (s settings) explain(err error) error {
	refused, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		return fmt.Errorf("cannot ask Gatelodge: %w", err)
	}
	said := "Gatelodge says: " + cmp.Or(refused.ErrorDescription, refused.ErrorCode, refused.Response.Status)
	if refused.ErrorCode != "" && refused.ErrorDescription != "" {
		said += " (" + refused.ErrorCode + ")"
	}
	switch refused.ErrorCode {
	case "invalid_grant":
		return fmt.Errorf("%s. The authorization has ended, or its user took it back: run report-downloader login", said)
	case "invalid_client", "unauthorized_client":
		return fmt.Errorf("%s. Check --client-id and the client secret against the page Web Settings of the security profile", said)
	}
	return errors.New(said)
}
