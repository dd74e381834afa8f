package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/html"

	"gatelodge/internal/live"
	"gatelodge/internal/sqldb"
)

// court is a server and everything that a judge needs beside it: security profiles
// and people. Judges written in Go call it, scripts ask it over HTTP (judges/court.mjs).
type court struct {
	*server
	developer *visitor
	// url is where scripts ask.
	url string
	// browsers are those of scripts, each a *visitor.
	browsers sync.Map
	// count makes names and addresses.
	count atomic.Int64
}

// wanted is the security profile that a judge asks for.
type wanted struct {
	Kind       string   `json:"kind"`
	ReturnURLs []string `json:"return_urls"`
	// Settings are fields of its Settings page.
	Settings map[string]string `json:"settings"`
	// Flags are more of the command's, and JWKS what its --jwks-file says.
	Flags []string        `json:"flags"`
	JWKS  json.RawMessage `json:"jwks"`
}

// registered is what a developer takes along.
type registered struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret"`
}

func newCourt(t *testing.T) *court {
	t.Helper()
	c := &court{server: serve(t, sqldb.SQLite, "--trusted-proxies", "127.0.0.1", "--registration", "open")}
	c.developer = newVisitor(c.server, ada, c.count.Add(1))
	end, err := c.developer.goTo(t.Context(), c.issuer+"/sign-up?continue=/console", nil)
	if err := end.unless(err); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /profiles", answerWith(c.register))
	mux.HandleFunc("POST /commands", answerWith(c.administer))
	mux.HandleFunc("POST /people", answerWith(func(ctx context.Context, _ struct{}) (browser, error) {
		v, err := c.signUp(ctx)
		return c.keep(v), err
	}))
	mux.HandleFunc("POST /browsers", answerWith(c.elsewhere))
	mux.HandleFunc("POST /visits", answerWith(c.visit))
	scripts := httptest.NewServer(mux)
	t.Cleanup(scripts.Close)
	c.url = scripts.URL
	return c
}

// answerWith answers a script in JSON with what f gives.
func answerWith[In, Out any](f func(context.Context, In) (Out, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in In
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		out, err := f(r.Context(), in)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(out) // a script that went away has failed already
	}
}

// signUp gives somebody new, who is signed in.
func (c *court) signUp(ctx context.Context) (*visitor, error) {
	who := brook
	n := c.count.Add(1)
	who.email = fmt.Sprintf("brook-%d@example.com", n)
	v := newVisitor(c.server, who, n)
	end, err := v.goTo(ctx, c.issuer+"/sign-up", nil)
	return v, end.unless(err)
}

// browser is what a script calls somebody's browser by.
type browser struct {
	ID    string `json:"browser"`
	Email string `json:"email"`
}

func (c *court) keep(v *visitor) browser {
	b := browser{rand.Text(), v.email}
	c.browsers.Store(b.ID, v)
	return b
}

func (c *court) find(id string) (*visitor, error) {
	v, ok := c.browsers.Load(id)
	if !ok {
		return nil, fmt.Errorf("there is no browser %q", id)
	}
	return v.(*visitor), nil
}

// elsewhere gives the same person another browser, in which nobody is signed in.
func (c *court) elsewhere(_ context.Context, in browser) (browser, error) {
	v, err := c.find(in.ID)
	if err != nil {
		return browser{}, err
	}
	return c.keep(newVisitor(c.server, v.person, c.count.Add(1))), nil
}

// going is where a script sends a browser.
type going struct {
	browser
	URL     string  `json:"url"`
	Answers answers `json:"answers"`
}

func (c *court) visit(ctx context.Context, in going) (visit, error) {
	v, err := c.find(in.ID)
	if err != nil {
		return visit{}, err
	}
	return v.goTo(ctx, in.URL, in.Answers)
}

// register makes a security profile with the command, and sets what has no flag on
// its Settings page.
func (c *court) register(ctx context.Context, w wanted) (registered, error) {
	name := fmt.Sprintf("Judge %d", c.count.Add(1))
	args := []string{"profile", "create", "--owner", ada.email,
		"--name", name, "--description", "Judges the server", "--privacy-url", downloader.privacy}
	if w.Kind != "" {
		args = append(args, "--kind", w.Kind)
	}
	for _, u := range w.ReturnURLs {
		args = append(args, "--return-url", u)
	}
	args = append(args, w.Flags...)
	if w.JWKS != nil {
		dir, err := os.MkdirTemp("", "judge")
		if err != nil {
			return registered{}, err
		}
		defer os.RemoveAll(dir)
		file := filepath.Join(dir, "jwks.json")
		if err := os.WriteFile(file, w.JWKS, 0o600); err != nil {
			return registered{}, err
		}
		args = append(args, "--jwks-file", file)
	}
	var made registered
	if err := c.command(ctx, &made, args...); err != nil || len(w.Settings) == 0 {
		return made, err
	}
	return made, c.set(ctx, name, made.ID, w.Settings)
}

// administer runs a command of the operator, and waits until the server has seen what
// it did.
func (c *court) administer(ctx context.Context, args []string) (map[string]any, error) {
	var printed map[string]any
	if err := c.command(ctx, &printed, args...); err != nil {
		return nil, err
	}
	select {
	case <-time.After(live.Bound):
		return printed, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// command runs a command of the program beside the server, and reads what it prints.
func (c *court) command(ctx context.Context, printed any, args ...string) error {
	args = append(args, "--json", "--data", filepath.Dir(c.database.Path))
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, shared.binary, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%q: %w\n%s", args, err, &stderr)
	}
	return json.Unmarshal(out, printed)
}

// set changes fields of a profile's Settings page.
func (c *court) set(ctx context.Context, name, clientID string, settings map[string]string) error {
	_, page, err := c.developer.send(ctx, http.MethodGet, c.issuer+"/console?q="+url.QueryEscape(clientID), nil)
	if err != nil {
		return err
	}
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		return err
	}
	link, err := url.Parse(linkTo(doc, name))
	if err != nil || link.Path == "" {
		return fmt.Errorf("the console has no link to %q: %.400s", name, textOf(doc))
	}
	path := link.Path + "/settings"
	fields := url.Values{}
	for field, value := range settings {
		fields.Set(field, value)
	}
	end, err := c.developer.goTo(ctx, c.issuer+path, answers{path: fields})
	return end.unless(err)
}

// unless gives the error of a form that was not taken, unless err is one already.
func (end visit) unless(err error) error {
	if err == nil && (end.Status != http.StatusOK || len(end.Asked) == 0) {
		err = fmt.Errorf("ended at %s (%d), after %q: %.400s", end.URL, end.Status, end.Asked, end.Text)
	}
	return err
}
