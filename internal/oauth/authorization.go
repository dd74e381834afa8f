package oauth

import (
	"encoding/json"
	"slices"
	"strings"
)

// AuthorizationRequest is a request for an authorization code (RFC 6749 section
// 4.1.1), the only response type there is.
type AuthorizationRequest struct {
	ClientID string
	// RedirectURI is as sent, and not to be trusted: only a [RedirectURI] is.
	RedirectURI string
	// Scope is in the order sent, each once.
	Scope []string
	// State is "" when none was sent, which is the same as an empty one
	// (RFC 6749 section 3.1).
	State     string
	Challenge Challenge
	// ScopeData has entries for scopes of Scope only.
	ScopeData map[string]ScopeDatum
	UILocales []string
	Prompt    []string
	LoginHint string
	// Extended says that a parameter was sent that the code has to carry beyond
	// those of Login with Amazon, so that it may be longer than 128 characters.
	Extended bool
}

// ScopeDatum is what scope_data says about one scope. Essential is nil when it
// leaves the scope's own default.
type ScopeDatum struct {
	Essential *bool
}

// ParseAuthorizationTarget reads who asks and where the answer is to go. Its
// errors must be shown as a page (RFC 6749 section 4.1.2.1). The client is
// returned with an error about the return URL too, so that the page can name it.
func ParseAuthorizationTarget(p Params) (clientID, redirectURI string, err *Error) {
	if clientID, err = p.required("client_id"); err != nil {
		return "", "", err
	}
	if redirectURI, err = p.required("redirect_uri"); err != nil {
		return clientID, "", err
	}
	return clientID, redirectURI, nil
}

// ParseAuthorizationRequest reads the whole request. Its errors go to the client
// by redirect once [ParseAuthorizationTarget] has succeeded and the return URL has
// been matched; the state to send along is the [Params.Value] of "state".
func ParseAuthorizationRequest(p Params, d Dialect) (AuthorizationRequest, *Error) {
	var r AuthorizationRequest
	var err *Error
	if r.ClientID, r.RedirectURI, err = ParseAuthorizationTarget(p); err != nil {
		return AuthorizationRequest{}, err
	}
	if err := p.refusal(); err != nil {
		return AuthorizationRequest{}, err
	}
	responseType, err := p.required("response_type")
	if err != nil {
		return AuthorizationRequest{}, err
	}
	if responseType != "code" {
		return AuthorizationRequest{}, unsupportedResponseType().Because("The response_type must be code.")
	}
	if r.Scope, err = requestedScope(p, d); err != nil {
		return AuthorizationRequest{}, err
	}
	if r.Challenge, err = parseChallenge(p, d); err != nil {
		return AuthorizationRequest{}, err
	}
	if r.ScopeData, err = parseScopeData(p.Value("scope_data"), r.Scope); err != nil {
		return AuthorizationRequest{}, err
	}
	r.State = p.Value("state")
	r.UILocales = strings.Fields(p.Value("ui_locales"))
	r.Prompt = strings.Fields(p.Value("prompt"))
	r.LoginHint = p.Value("login_hint")
	r.Extended = slices.ContainsFunc([]string{"nonce", "resource", "claims", "max_age", "acr_values"},
		func(name string) bool { return p.Value(name) != "" })
	return r, nil
}

func requestedScope(p Params, d Dialect) ([]string, *Error) {
	scope, err := p.required("scope")
	if err != nil {
		if d == Standard {
			// RFC 6749 section 3.3: without a default scope the request fails
			// "indicating an invalid scope". login-with-amazon.md section 3 has
			// scope as a required parameter like any other.
			err.Code = InvalidScope
		}
		return nil, err
	}
	return ParseScope(scope)
}

// parseScopeData reads {"profile":{"essential":true}} (login-with-amazon.md
// section 3). Entries of other scopes and other members of an entry, which other
// products of Amazon define, are ignored.
func parseScopeData(s string, scope []string) (map[string]ScopeDatum, *Error) {
	if s == "" {
		return map[string]ScopeDatum{}, nil
	}
	malformed := func(reason string) (map[string]ScopeDatum, *Error) {
		return nil, InvalidParameter("scope_data").Because(reason)
	}
	var entries map[string]json.RawMessage
	if err := json.Unmarshal([]byte(s), &entries); err != nil || entries == nil {
		return malformed("The scope_data is not a JSON object.")
	}
	data := make(map[string]ScopeDatum, len(scope))
	for _, name := range scope {
		raw, ok := entries[name]
		if !ok {
			continue
		}
		// A map, because struct fields would match in any case of letters.
		var entry map[string]json.RawMessage
		if err := json.Unmarshal(raw, &entry); err != nil || entry == nil {
			return malformed("An entry of scope_data is not a JSON object.")
		}
		var datum ScopeDatum
		if essential, ok := entry["essential"]; ok {
			if err := json.Unmarshal(essential, &datum.Essential); err != nil {
				return malformed("A member essential of scope_data is neither true nor false.")
			}
		}
		data[name] = datum
	}
	return data, nil
}
