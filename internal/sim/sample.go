package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"strings"

	"golang.org/x/oauth2"

	"gatelodge/internal/oauth"
)

// Sample is an application as developers write them, with golang.org/x/oauth2:
// /start begins, and the return URL greets the user by name.
type Sample struct {
	*Application
	Config oauth2.Config
	// Tokens are those it got, the newest last.
	Tokens []*oauth2.Token

	verifier string
}

// NewSample registers a sample application that uses one dialect's addresses.
func (w *World) NewSample(d oauth.Dialect, style oauth2.AuthStyle) *Sample {
	w.t.Helper()
	a := w.NewApplication()
	s := &Sample{Application: a, Config: oauth2.Config{
		ClientID: a.ID, ClientSecret: a.Secret, RedirectURL: a.ReturnURL, Scopes: []string{"profile", "postal_code"},
		Endpoint: oauth2.Endpoint{AuthURL: w.Issuer + AuthorizePath(d), TokenURL: w.Issuer + TokenPath(d), AuthStyle: style},
	}}
	mux := http.NewServeMux()
	mux.HandleFunc("/start", s.start)
	mux.HandleFunc("/return", s.back)
	w.Host(strings.TrimSuffix(strings.TrimPrefix(s.ReturnURL, "https://"), "/return"), mux)
	return s
}

// StartURL is the address at which a user begins.
func (s *Sample) StartURL() string { return strings.TrimSuffix(s.ReturnURL, "/return") + "/start" }

// Context makes the library talk to this world.
func (s *Sample) Context() context.Context {
	return context.WithValue(context.Background(), oauth2.HTTPClient, s.world.Client())
}

func (s *Sample) start(w http.ResponseWriter, r *http.Request) {
	s.verifier = oauth2.GenerateVerifier()
	http.Redirect(w, r, s.Config.AuthCodeURL("the state", oauth2.S256ChallengeOption(s.verifier)), http.StatusFound)
}

func (s *Sample) back(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("state") != "the state" || q.Get("error") != "" {
		http.Error(w, q.Get("error"), http.StatusForbidden)
		return
	}
	token, err := s.Config.Exchange(s.Context(), q.Get("code"), oauth2.VerifierOption(s.verifier))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	s.Tokens = append(s.Tokens, token)
	response, err := s.Config.Client(s.Context(), token).Get(s.world.Issuer + "/user/profile")
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer response.Body.Close()
	var profile struct{ Name, Email string }
	if err := json.NewDecoder(response.Body).Decode(&profile); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	fmt.Fprintf(w, "<h1>Hello, %s!</h1>", html.EscapeString(profile.Name))
}
