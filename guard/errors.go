package guard

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Error is a refusal in the terms of RFC 6750 section 3.
type Error struct {
	Status int
	// Code is empty for a request without a token (section 3.1).
	Code        string
	Description string
	// Scopes are what the request needed, of a refusal for lack of them.
	Scopes []string
	// RetryAfter is when to try again, of a refusal that passes.
	RetryAfter time.Duration
	// scheme is that of the challenge.
	scheme string
}

func (e *Error) Error() string {
	return "guard: " + orElse(e.Code, "no access token") + ": " + orElse(e.Description, "the request has none")
}

// Write answers with the challenge, or with Retry-After, and with a JSON body of error
// and error_description.
func (e *Error) Write(w http.ResponseWriter) {
	if e.RetryAfter > 0 {
		seconds := (e.RetryAfter + time.Second - 1) / time.Second
		w.Header().Set("Retry-After", strconv.Itoa(int(seconds)))
	} else {
		w.Header().Set("WWW-Authenticate", e.Challenge())
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(e.Status)
	json.NewEncoder(w).Encode(struct { // an error here means that nobody listens any more
		Code        string `json:"error"`
		Description string `json:"error_description"`
	}{orElse(e.Code, "invalid_token"), orElse(e.Description, "The request has no access token")})
}

// Challenge is the value of WWW-Authenticate, for whoever writes the answer themselves.
// Its description goes into a header: ASCII without quotes.
func (e *Error) Challenge() string {
	scheme := orElse(e.scheme, schemeBearer)
	var params []string
	for _, p := range [][2]string{{"error", e.Code}, {"error_description", e.Description}, {"scope", strings.Join(e.Scopes, " ")}} {
		if p[1] != "" {
			params = append(params, p[0]+`="`+p[1]+`"`)
		}
	}
	if scheme == schemeDPoP {
		params = append(params, `algs="ES256 RS256"`)
	}
	return strings.TrimSpace(scheme + " " + strings.Join(params, ", "))
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func noToken() *Error { return &Error{Status: http.StatusUnauthorized} }

func invalidRequest(description string) *Error {
	return &Error{Status: http.StatusBadRequest, Code: "invalid_request", Description: description}
}

func invalidToken(description string) *Error {
	return &Error{Status: http.StatusUnauthorized, Code: "invalid_token", Description: description}
}

func invalidProof(description string) *Error {
	return &Error{Status: http.StatusUnauthorized, Code: "invalid_dpop_proof", Description: description, scheme: schemeDPoP}
}

func insufficientScope(scopes []string) *Error {
	return &Error{Status: http.StatusForbidden, Code: "insufficient_scope", Description: "The access token lacks a scope that this needs", Scopes: scopes}
}

func unavailable() *Error {
	return &Error{Status: http.StatusServiceUnavailable, Code: "temporarily_unavailable", Description: "The access token cannot be checked at the moment", RetryAfter: time.Second}
}

func tooManyBadTokens(wait time.Duration) *Error {
	return &Error{Status: http.StatusTooManyRequests, Code: "too_many_requests", Description: "Too many bad access tokens came from this address: try again in a moment", RetryAfter: wait}
}
