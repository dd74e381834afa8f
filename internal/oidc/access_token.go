package oidc

import (
	"encoding/json"
	"time"
)

// AccessToken is what an access token says that is a JWT (RFC 9068 section 2.2).
type AccessToken struct {
	Issuer    string
	Subject   string
	Audience  []string
	ClientID  string
	Scope     string
	ID        string // jti
	IssuedAt  time.Time
	ExpiresAt time.Time
	AuthTime  time.Time // zero: not told
	// KeyThumbprint is of the key that its bearer has to prove, "" for none (RFC 9449
	// section 6.1).
	KeyThumbprint string
	// EndsWith are the handles with which the token may end before its time.
	EndsWith []string
}

// Claims gives the JSON to sign.
func (t AccessToken) Claims() ([]byte, error) {
	return json.Marshal(struct {
		Issuer       string        `json:"iss"`
		Subject      string        `json:"sub"`
		Audience     []string      `json:"aud"`
		ClientID     string        `json:"client_id"`
		Scope        string        `json:"scope,omitempty"`
		ID           string        `json:"jti"`
		IssuedAt     int64         `json:"iat"`
		ExpiresAt    int64         `json:"exp"`
		AuthTime     int64         `json:"auth_time,omitempty"`
		Confirmation *Confirmation `json:"cnf,omitempty"`
		EndsWith     []string      `json:"ends_with,omitempty"`
	}{
		t.Issuer, t.Subject, t.Audience, t.ClientID, t.Scope, t.ID, numericDate(t.IssuedAt), numericDate(t.ExpiresAt), numericDate(t.AuthTime),
		Confirm(t.KeyThumbprint), t.EndsWith,
	})
}

// Confirmation names the key that the bearer of a token has to prove (RFC 7800
// section 3.1, RFC 9449 section 6).
type Confirmation struct {
	Thumbprint string `json:"jkt"`
}

// Confirm gives the confirmation of a thumbprint, nil for "".
func Confirm(thumbprint string) *Confirmation {
	if thumbprint == "" {
		return nil
	}
	return &Confirmation{thumbprint}
}
