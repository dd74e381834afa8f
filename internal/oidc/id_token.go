package oidc

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"time"
)

// IDToken is what an ID token says (Core section 2). Empty fields are left out.
type IDToken struct {
	Issuer          string
	Audience        string // the client ID
	ExpiresAt       time.Time
	IssuedAt        time.Time
	AuthTime        time.Time
	Nonce           string
	ACR             string
	AMR             []string
	AtHash          string
	AuthorizedParty string
	SessionID       string // Back-Channel Logout section 2.1
	User            User
	// Release is what the ID token tells about the user beside sub: what was asked
	// for by the claims parameter, for the claims of scopes are told by UserInfo
	// (Core section 5.4).
	Release ClaimSet
}

// Claims gives the JSON to sign. The same token always gives the same bytes.
func (t IDToken) Claims() ([]byte, error) {
	return json.Marshal(struct {
		Issuer          string   `json:"iss"`
		Subject         string   `json:"sub"`
		Audience        string   `json:"aud"`
		ExpiresAt       int64    `json:"exp"`
		IssuedAt        int64    `json:"iat"`
		AuthTime        int64    `json:"auth_time,omitempty"`
		Nonce           string   `json:"nonce,omitempty"`
		ACR             string   `json:"acr,omitempty"`
		AMR             []string `json:"amr,omitempty"`
		AtHash          string   `json:"at_hash,omitempty"`
		AuthorizedParty string   `json:"azp,omitempty"`
		SessionID       string   `json:"sid,omitempty"`
		userClaims
	}{
		t.Issuer, t.User.Subject, t.Audience, numericDate(t.ExpiresAt), numericDate(t.IssuedAt), numericDate(t.AuthTime),
		t.Nonce, t.ACR, t.AMR, t.AtHash, t.AuthorizedParty, t.SessionID, t.User.claims(t.Release),
	})
}

// AtHash is the claim at_hash (Core section 3.1.3.6): the left half of the token's
// hash by the function of the ID token's alg, which is SHA-256 for RS256 and ES256.
func AtHash(accessToken string) string {
	sum := sha256.Sum256([]byte(accessToken))
	return base64.RawURLEncoding.EncodeToString(sum[:sha256.Size/2])
}
