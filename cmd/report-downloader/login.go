package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

const (
	// loopbackReturn is where a browser on this computer comes back to (RFC 8252
	// section 7.3), pastedReturn where nobody listens and the user copies the address.
	loopbackReturn = "http://127.0.0.1:8976/return"
	pastedReturn   = "https://localhost"
	// loginWait is how long the user may take.
	loginWait = 10 * time.Minute
)

func (p *program) login(ctx context.Context, s settings) error {
	ctx = context.WithValue(ctx, oauth2.HTTPClient, p.client(1))
	ctx, cancel := context.WithTimeoutCause(ctx, loginWait, errors.New("nobody authorized the application within ten minutes"))
	defer cancel()
	by := p.loginByBrowser
	switch {
	case s.code:
		by = p.loginByCode
	case s.device:
		by = p.loginByDevice
	}
	token, err := by(ctx, s)
	if err != nil {
		return err
	}
	if token.RefreshToken == "" {
		return errors.New("no refresh token came from Gatelodge, without which nobody can sync from cron: an application without a secret needs --standard")
	}
	if err := os.MkdirAll(filepath.Dir(s.tokens), 0o700); err != nil {
		return err
	}
	unlock, err := lock(s.tokens+".lock", waiting) // a sync may be renewing the old ones
	if err != nil {
		return err
	}
	defer unlock()
	if err := writeTokens(s, token); err != nil {
		return err
	}
	fmt.Fprintf(p.out, "Logged in. The tokens are in %s.\n", s.tokens)
	return nil
}

// visit is one authorization request.
type visit struct {
	settings
	config          *oauth2.Config
	state, verifier string
}

func newVisit(s settings) visit {
	return visit{s, s.oauth(s.standard), rand.Text(), oauth2.GenerateVerifier()}
}

func (v visit) address() string {
	return v.config.AuthCodeURL(v.state, oauth2.S256ChallengeOption(v.verifier))
}

var errOtherVisit = errors.New("the answer is to another request: its state is not ours")

// answer takes the code out of what came to the return URL.
func (v visit) answer(q url.Values) (code string, err error) {
	switch issuer := q.Get("iss"); {
	case subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(v.state)) != 1: // RFC 6749 section 10.12
		return "", errOtherVisit
	case issuer != "" && issuer != v.gatelodge: // RFC 9207 section 2.4
		return "", fmt.Errorf("the answer comes from %s instead of %s", issuer, v.gatelodge)
	case q.Get("error") != "":
		return "", fmt.Errorf("not authorized: %s", cmp.Or(q.Get("error_description"), q.Get("error")))
	case q.Get("code") == "":
		return "", errors.New("the answer holds no code")
	}
	return q.Get("code"), nil
}

func (v visit) redeem(ctx context.Context, code string) (*oauth2.Token, error) {
	token, err := v.config.Exchange(ctx, code, oauth2.VerifierOption(v.verifier))
	if err != nil {
		return nil, v.explain(err)
	}
	return token, nil
}

func (p *program) loginByBrowser(ctx context.Context, s settings) (*oauth2.Token, error) {
	s.returnURL = cmp.Or(s.returnURL, loopbackReturn)
	u, err := url.Parse(s.returnURL)
	if err != nil || u.Scheme != "http" || !onLoopback(u.Hostname()) || u.Port() == "" {
		return nil, wrongUse("--return-url: the browser comes back to this program at an address such as %s; for another use --code", loopbackReturn)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", u.Host)
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	if u.Port() == "0" { // for native applications, which may come back to any port
		_, port, _ := net.SplitHostPort(listener.Addr().String())
		u.Host = net.JoinHostPort(u.Hostname(), port)
		s.returnURL = u.String()
	}
	v := newVisit(s)
	type answer struct {
		code string
		err  error
	}
	answered := make(chan answer, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+cmp.Or(u.EscapedPath(), "/"), func(w http.ResponseWriter, r *http.Request) {
		code, err := v.answer(r.URL.Query())
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'")
		h.Set("Referrer-Policy", "no-referrer") // the address holds the code
		words := "You can close this page and go back to the program."
		if err != nil {
			words = html.EscapeString(err.Error()) + "."
			w.WriteHeader(http.StatusBadRequest)
		}
		fmt.Fprintf(w, "<!doctype html><html lang=en><meta name=viewport content='width=device-width'><title>Video Report Downloader</title><h1>Video Report Downloader</h1><p>%s\n", words)
		if errors.Is(err, errOtherVisit) {
			return // whoever sent this must not end the login
		}
		select {
		case answered <- answer{code, err}:
		default:
		}
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go server.Serve(listener) // ends with Shutdown
	defer func() {
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		server.Shutdown(drain)
	}()
	fmt.Fprintf(p.out, "Authorize the application in your browser:\n\n  %s\n\n", v.address())
	if !s.noBrowser {
		go p.browse(ctx, v.address()) // the address is on the screen in any case
	}
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case a := <-answered:
		if a.err != nil {
			return nil, a.err
		}
		return v.redeem(ctx, a.code)
	}
}

func (p *program) loginByCode(ctx context.Context, s settings) (*oauth2.Token, error) {
	s.returnURL = cmp.Or(s.returnURL, pastedReturn)
	v := newVisit(s)
	fmt.Fprintf(p.out, "Authorize the application in a browser:\n\n  %s\n\nIt then goes to %s, which may fail to load. Paste its address here, or the code in it:\n", v.address(), s.returnURL)
	type line struct {
		text string
		err  error
	}
	pasted := make(chan line, 1)
	go func() {
		text, err := bufio.NewReader(io.LimitReader(p.in, 1<<16)).ReadString('\n')
		pasted <- line{strings.TrimSpace(text), err}
	}()
	var got line
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case got = <-pasted:
	}
	if got.text == "" {
		return nil, errors.New("nothing was pasted")
	}
	// A code alone has no state: that it was given for our challenge is what protects it.
	code := got.text
	if _, query, isAddress := strings.Cut(code, "?"); isAddress {
		query, _, _ = strings.Cut(query, "#")
		q, err := url.ParseQuery(query)
		if err != nil {
			return nil, errors.New("the address that was pasted cannot be read")
		}
		if code, err = v.answer(q); err != nil {
			return nil, err
		}
	}
	return v.redeem(ctx, code)
}

// loginByDevice is RFC 8628. An application with a secret has it by the standard's
// addresses only; one without may be a device of Login with Amazon.
func (p *program) loginByDevice(ctx context.Context, s settings) (*oauth2.Token, error) {
	standard := s.standard || s.secret != ""
	config := s.oauth(standard)
	var start, poll []oauth2.AuthCodeOption
	if s.secret != "" {
		start = append(start, oauth2.SetAuthURLParam("client_secret", s.secret))
	}
	if !standard {
		start = append(start, oauth2.SetAuthURLParam("response_type", "device_code"))
	}
	codes, err := config.DeviceAuth(ctx, start...)
	if err != nil {
		return nil, s.explain(err)
	}
	if !standard {
		poll = append(poll, oauth2.SetAuthURLParam("grant_type", "device_code"), oauth2.SetAuthURLParam("user_code", codes.UserCode))
	}
	fmt.Fprintf(p.out, "Open %s in a browser and enter the code\n\n  %s\n\n", printable(codes.VerificationURI), printable(codes.UserCode))
	token, err := config.DeviceAccessToken(ctx, codes, poll...)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return nil, errors.New("the code has expired: log in again")
	case err != nil:
		return nil, s.explain(err)
	}
	return token, nil
}

// logout ends the authorization at Gatelodge (RFC 7009). The tokens are forgotten even
// when Gatelodge cannot be told.
func (p *program) logout(ctx context.Context, s settings) error {
	token, err := readTokens(s)
	if err != nil {
		return err
	}
	told := p.revoke(ctx, s, cmp.Or(token.RefreshToken, token.AccessToken))
	if err := os.Remove(s.tokens); err != nil {
		return errors.Join(told, err)
	}
	os.Remove(s.tokens + ".lock") // best effort
	if told != nil {
		return fmt.Errorf("the tokens are forgotten here, and may be good still: %w. Remove the application at %s/account/applications", told, s.gatelodge)
	}
	fmt.Fprintln(p.out, "Logged out.")
	return nil
}

func (p *program) revoke(ctx context.Context, s settings, token string) error {
	form := url.Values{"token": {token}, "client_id": {s.clientID}}
	if s.secret != "" {
		form.Set("client_secret", s.secret)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.gatelodge+"/oauth2/revoke", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := p.client(1).Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return refusal("Gatelodge", response)
	}
	return nil
}
