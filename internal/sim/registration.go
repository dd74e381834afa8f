package sim

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/registry"
)

// Register has an application register itself, with an initial access token unless
// that is "".
func (w *World) Register(token string, metadata any) Answer {
	w.t.Helper()
	body, err := json.Marshal(metadata)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.RegisterText(token, string(body))
}

// RegisterText is Register with the body as it is.
func (w *World) RegisterText(token, body string) Answer {
	w.t.Helper()
	headers := []string{"Content-Type", "application/json"}
	if token != "" {
		headers = append(headers, "Authorization", "Bearer "+token)
	}
	return w.Do(w.Request(http.MethodPost, "/oauth2/register", bytes.NewBufferString(body), headers...))
}

// InitialToken gives the owner of an application a token with which so many others
// can register themselves, for an hour.
func (a *Application) InitialToken(uses int64) string {
	a.world.t.Helper()
	value := registry.NewInitialToken()
	_, err := a.world.Store.CreateInitialToken(a.world.t.Context(), registry.InitialToken{
		DeveloperID: a.Profile.DeveloperID, UsesLeft: uses, ExpiresAt: time.Now().Add(time.Hour),
	}, registry.Digest(value), audit.By{At: time.Now()})
	if err != nil {
		a.world.t.Fatal(err)
	}
	return value
}

// Registered gives the application that a registration has made.
func (w *World) Registered(answer Answer) *Application {
	w.t.Helper()
	var made struct {
		ID      string   `json:"client_id"`
		Secret  string   `json:"client_secret"`
		Returns []string `json:"redirect_uris"`
	}
	if err := json.Unmarshal([]byte(answer.Body), &made); err != nil || answer.Status != http.StatusCreated {
		w.t.Fatalf("not registered: %v", answer)
	}
	key, err := registry.Namespace(Namespace).ParseClientID(made.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	a := &Application{ID: made.ID, Secret: made.Secret, world: w}
	if len(made.Returns) > 0 {
		a.ReturnURL = made.Returns[0]
	}
	if a.Profile, _, err = w.Store.ProfileByClient(w.t.Context(), key); err != nil {
		w.t.Fatal(err)
	}
	return a
}
