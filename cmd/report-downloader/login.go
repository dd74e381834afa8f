package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
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
		return errors.New("no refresh token came from Gatelodge, without which nobody can sync from cron")
	}
	if err := os.MkdirAll(filepath.Dir(s.tokens), 0o700); err != nil {
		return err
	}
	unlock, err := lockTokens(s) // a sync may be renewing the old ones
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
	state, verifier string
}

func newVisit(s settings) visit { return visit{s, rand.Text(), oauth2.GenerateVerifier()} }

func (v visit) address() string {
	return v.oauth().AuthCodeURL(v.state, oauth2.S256ChallengeOption(v.verifier))
}

var errOtherVisit = errors.New("the answer is to another request: its state is not ours")

// answer takes the code out of what came to the return URL.
func (v visit) answer(q url.Values) (code string, err error) {
	switch issuer := q.Get("iss"); {
	case q.Get("state") != v.state: // RFC 6749 section 10.12
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

// redeem waits for the answer, and turns its code into tokens.
func (v visit) redeem(ctx context.Context, answers <-chan answer) (*oauth2.Token, error) {
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case a := <-answers:
		if a.err != nil {
			return nil, a.err
		}
		token, err := v.oauth().Exchange(ctx, a.code, oauth2.VerifierOption(v.verifier))
		return token, explain(err)
	}
}

type answer struct {
	code string
	err  error
}

func (p *program) loginByBrowser(ctx context.Context, s settings) (*oauth2.Token, error) {
	s.returnURL = cmp.Or(s.returnURL, loopbackReturn)
	u, err := url.Parse(s.returnURL)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", u.Host)
	if err != nil {
		return nil, err
	}
	if u.Port() == "0" { // for native applications, which may come back to any port
		_, port, _ := net.SplitHostPort(listener.Addr().String())
		u.Host = net.JoinHostPort(u.Hostname(), port)
		s.returnURL = u.String()
	}
	v, answers := newVisit(s), make(chan answer, 1)
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != cmp.Or(u.Path, "/") {
			http.NotFound(w, r)
			return
		}
		code, err := v.answer(r.URL.Query())
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'")
		w.Header().Set("Referrer-Policy", "no-referrer") // the address holds the code
		words := "You can close this page and go back to the program."
		if err != nil {
			words = err.Error() + "."
			w.WriteHeader(http.StatusBadRequest)
		}
		fmt.Fprintf(w, "<!doctype html><html lang=en><meta name=viewport content='width=device-width'><meta name=color-scheme content='light dark'><title>Video Report Downloader</title><h1>Video Report Downloader</h1><p>%s\n", html.EscapeString(words))
		if err == errOtherVisit {
			return // whoever sent this must not end the login
		}
		select {
		case answers <- answer{code, err}:
		default:
		}
	})}
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
	return v.redeem(ctx, answers)
}

func (p *program) loginByCode(ctx context.Context, s settings) (*oauth2.Token, error) {
	s.returnURL = cmp.Or(s.returnURL, pastedReturn)
	v, answers := newVisit(s), make(chan answer, 1)
	fmt.Fprintf(p.out, "Authorize the application in a browser:\n\n  %s\n\nIt then goes to %s, which may fail to load. Paste its address here, or the code in it:\n", v.address(), s.returnURL)
	go func() {
		line, _ := bufio.NewReader(io.LimitReader(p.in, 1<<16)).ReadString('\n')
		pasted := strings.TrimSpace(line)
		if pasted == "" {
			answers <- answer{err: errors.New("nothing was pasted")}
			return
		}
		u, err := url.Parse(pasted)
		if err != nil || u.RawQuery == "" {
			// A code alone has no state: that it was given for our challenge protects it.
			answers <- answer{code: pasted}
			return
		}
		code, err := v.answer(u.Query())
		answers <- answer{code, err}
	}()
	return v.redeem(ctx, answers)
}

// loginByDevice is RFC 8628.
func (p *program) loginByDevice(ctx context.Context, s settings) (*oauth2.Token, error) {
	var secret []oauth2.AuthCodeOption
	if s.secret != "" { // the library keeps it for the token request
		secret = append(secret, oauth2.SetAuthURLParam("client_secret", s.secret))
	}
	codes, err := s.oauth().DeviceAuth(ctx, secret...)
	if err != nil {
		return nil, explain(err)
	}
	fmt.Fprintf(p.out, "Open %s in a browser and enter the code\n\n  %s\n\n", printable(codes.VerificationURI), printable(codes.UserCode))
	token, err := s.oauth().DeviceAccessToken(ctx, codes)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, errors.New("the code has expired: log in again")
	}
	return token, explain(err)
}
