package portal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"gatelodge/internal/limit"
	"gatelodge/slate/store"
)

const (
	// logoutBody bounds a request with a logout token.
	logoutBody = 16 << 10
	// logoutLives is how old a logout token may be, and logoutSkew by how much clocks
	// may differ.
	logoutLives = 5 * time.Minute
	logoutSkew  = time.Minute
	logoutEvent = "http://schemas.openid.net/event/backchannel-logout"
)

// logoutRate is how often one address may send logout tokens: each costs a signature to
// verify, and one with a made-up key a reading of Gatelodge's keys.
var logoutRate = limit.Rate{Burst: 120, Every: 100 * time.Millisecond}

// logoutToken is what says that a session at Gatelodge, or all of somebody, ended.
type logoutToken struct {
	Subject  string                     `json:"sub"`
	Session  string                     `json:"sid"`
	ID       string                     `json:"jti"`
	IssuedAt *float64                   `json:"iat"`
	Nonce    json.RawMessage            `json:"nonce"`
	Events   map[string]json.RawMessage `json:"events"`
}

// backChannelLogout ends sessions that ended at Gatelodge (Back-Channel Logout 1.0
// section 2.5).
func (p *Portal) backChannelLogout(w http.ResponseWriter, r *http.Request) error {
	now := p.options.Now()
	w.Header().Set("Cache-Control", "no-store") // section 2.8
	if wait, ok := p.logouts.Allow(p.options.Address(r), now); !ok {
		// Gatelodge tries again.
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		return logoutRefused(w, http.StatusTooManyRequests, "Too many logout tokens come from this address.")
	}
	if err := r.ParseForm(); err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return logoutRefused(w, http.StatusRequestEntityTooLarge, "The request is too large.")
		}
		return logoutRefused(w, http.StatusBadRequest, "The request is not a form.")
	}
	values := r.PostForm["logout_token"]
	if len(values) != 1 || values[0] == "" {
		return logoutRefused(w, http.StatusBadRequest, "There has to be one logout_token.")
	}
	g, err := p.gatelodge(r.Context(), now)
	if err != nil {
		return logoutWithoutKeys(w)
	}
	token, err := p.verifyLogout(r.Context(), g, values[0], now)
	if err != nil {
		if withoutKeys(err) {
			return logoutWithoutKeys(w)
		}
		return logoutRefused(w, http.StatusBadRequest, "The logout token is not good.")
	}
	// Noted together with its effect: a token that had none may be sent again.
	err = p.options.Store.FollowLogout(r.Context(), token.ID, token.Subject, token.Session, now, now.Add(logoutLives+logoutSkew))
	if errors.Is(err, store.ErrTaken) {
		return logoutRefused(w, http.StatusBadRequest, "The logout token came before.")
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// verifyLogout does what section 2.6 says, its steps in order.
func (p *Portal) verifyLogout(ctx context.Context, g *gatelodge, raw string, now time.Time) (t logoutToken, err error) {
	// Steps 2 and 3: signature by a key and algorithm of the issuer's; iss, aud, exp.
	verified, err := g.verifier.Verify(p.asking(ctx), raw)
	if err != nil {
		return t, err
	}
	if err := verified.Claims(&t); err != nil {
		return t, err
	}
	switch event, ok := t.Events[logoutEvent]; {
	case t.IssuedAt == nil || verified.IssuedAt.Before(now.Add(-logoutLives)) || verified.IssuedAt.After(now.Add(logoutSkew)):
		return t, errors.New("portal: a logout token of another time")
	case t.Subject == "" && t.Session == "":
		return t, errors.New("portal: a logout token of nobody")
	case !ok || !bytes.HasPrefix(bytes.TrimSpace(event), []byte("{")):
		return t, errors.New("portal: not a logout token") // an ID token, say
	case t.Nonce != nil:
		return t, errors.New("portal: a logout token has no nonce")
	case t.ID == "":
		return t, errors.New("portal: a logout token without an id")
	}
	return t, nil
}

// logoutWithoutKeys: Gatelodge tries again.
func logoutWithoutKeys(w http.ResponseWriter) error {
	w.Header().Set("Retry-After", strconv.Itoa(int(downFor/time.Second)))
	return logoutRefused(w, http.StatusServiceUnavailable, "The keys of the issuer cannot be read.")
}

// logoutRefused answers as section 2.8 says.
func logoutRefused(w http.ResponseWriter, status int, words string) error {
	body, err := json.Marshal(map[string]string{"error": "invalid_request", "error_description": words})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, err = w.Write(body)
	return err
}
