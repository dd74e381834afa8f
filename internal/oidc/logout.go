package oidc

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"gatelodge/internal/oauth"
)

// LogoutRequest is a request for RP-initiated logout (RP-Initiated Logout 1.0
// section 2). Every field may be empty, and none is verified.
type LogoutRequest struct {
	IDTokenHint           string
	LogoutHint            string
	ClientID              string
	PostLogoutRedirectURI string
	State                 string
	UILocales             []string
}

// ParseLogoutRequest reads the parameters of a query or a form. Its errors must be
// shown as a page: there is no address yet that may be trusted.
func ParseLogoutRequest(v url.Values) (LogoutRequest, *oauth.Error) {
	var r LogoutRequest
	var locales string
	for _, p := range []struct {
		name  string
		limit int
		into  *string
	}{
		{"id_token_hint", 8 << 10, &r.IDTokenHint},
		{"logout_hint", 256, &r.LogoutHint},
		{"client_id", 100, &r.ClientID},
		{"post_logout_redirect_uri", 2000, &r.PostLogoutRedirectURI},
		{"state", 4096, &r.State},
		{"ui_locales", 256, &locales},
	} {
		values := v[p.name]
		if len(values) == 0 {
			continue
		}
		// As for an authorization request (RFC 6749 section 3.1), which this is
		// modelled on: at most once, and text.
		switch value := values[0]; {
		case len(values) > 1:
			return LogoutRequest{}, refuseLogout(p.name, fmt.Sprintf("was sent %d times", len(values)))
		case len(value) > p.limit:
			return LogoutRequest{}, refuseLogout(p.name, fmt.Sprintf("is %d bytes long; at most %d are read", len(value), p.limit))
		case !utf8.ValidString(value) || strings.ContainsRune(value, 0):
			return LogoutRequest{}, refuseLogout(p.name, "is not UTF-8 text, or holds a zero byte")
		default:
			*p.into = value
		}
	}
	r.UILocales = ParseUILocales(locales)
	return r, nil
}

func refuseLogout(name, reason string) *oauth.Error {
	return oauth.InvalidParameter(name).Because("The parameter " + name + " " + reason + ".")
}

// LogoutToken tells a client that a session, or every session of a user, has ended
// (Back-Channel Logout 1.0 section 2.4). It never has a nonce, so that it cannot
// pass for an ID token.
type LogoutToken struct {
	Issuer    string
	Audience  string // the client ID
	Subject   string
	SessionID string
	ID        string // jti
	IssuedAt  time.Time
	ExpiresAt time.Time
}

// Claims gives the JSON to sign.
func (t LogoutToken) Claims() ([]byte, error) {
	if t.Subject == "" && t.SessionID == "" {
		return nil, errors.New("oidc: a logout token needs a sub or a sid")
	}
	return json.Marshal(struct {
		Issuer    string       `json:"iss"`
		Subject   string       `json:"sub,omitempty"`
		Audience  string       `json:"aud"`
		IssuedAt  int64        `json:"iat"`
		ExpiresAt int64        `json:"exp"`
		ID        string       `json:"jti"`
		SessionID string       `json:"sid,omitempty"`
		Events    logoutEvents `json:"events"`
	}{t.Issuer, t.Subject, t.Audience, numericDate(t.IssuedAt), numericDate(t.ExpiresAt), t.ID, t.SessionID, logoutEvents{}})
}

// logoutEvents says that the token is a logout token: the member's value is an empty
// object.
type logoutEvents struct {
	Logout struct{} `json:"http://schemas.openid.net/event/backchannel-logout"`
}
