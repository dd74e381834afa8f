package oauth

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// ResponseType is the value of the parameter response_type.
type ResponseType string

const (
	ResponseCode ResponseType = "code"
	// ResponseToken is the implicit grant, which Login with Amazon has deprecated
	// (login-with-amazon.md section 5); it is on its path alone.
	ResponseToken ResponseType = "token"
)

// ResponseMode is how the answer reaches the return URL.
type ResponseMode string

const (
	ModeQuery    ResponseMode = "query"
	ModeFragment ResponseMode = "fragment"
	ModeFormPost ResponseMode = "form_post" // OAuth 2.0 Form Post Response Mode
)

// AuthorizationRequest is a request for an authorization code (RFC 6749 section
// 4.1.1) or, on the path of Login with Amazon, for a token (section 4.2.1).
type AuthorizationRequest struct {
	ResponseType ResponseType
	// ResponseMode is the default of the response type when none was sent.
	ResponseMode ResponseMode
	ClientID     string
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
	// Resources identify the APIs that the token is to be for (RFC 8707).
	Resources []string
	// DPoPKey is the thumbprint of the key that the code is bound to, "" for none
	// (RFC 9449 section 10).
	DPoPKey string
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
	if r.ResponseType, r.ResponseMode, err = parseResponse(p, d); err != nil {
		return AuthorizationRequest{}, err
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
	if d == Standard {
		if r.Resources, err = parseResources(p); err != nil {
			return AuthorizationRequest{}, err
		}
		if r.DPoPKey = p.Value("dpop_jkt"); r.DPoPKey != "" && !isThumbprint(r.DPoPKey) {
			return AuthorizationRequest{}, InvalidParameter("dpop_jkt").Because("The dpop_jkt is not the SHA-256 thumbprint of a key in base64url.")
		}
	}
	return r, nil
}

// RequestedMode is how an error of the request reaches the return URL, also when the
// request could not be read otherwise.
func RequestedMode(p Params, d Dialect) ResponseMode {
	_, mode, _ := parseResponse(p, d)
	return mode
}

func parseResponse(p Params, d Dialect) (ResponseType, ResponseMode, *Error) {
	name, err := p.required("response_type")
	if err != nil {
		return "", ModeQuery, err
	}
	switch {
	case name == string(ResponseToken) && d == LoginWithAmazon:
		return ResponseToken, ModeFragment, nil
	case name != string(ResponseCode) && d == LoginWithAmazon:
		return "", ModeQuery, unsupportedResponseType().Because("The response_type must be code, or token for a profile that has the implicit grant switched on.")
	case name != string(ResponseCode):
		return "", ModeQuery, unsupportedResponseType().Because("The response_type must be code.")
	}
	mode := ResponseMode(p.Value("response_mode"))
	switch {
	case d == LoginWithAmazon, mode == "":
		return ResponseCode, ModeQuery, nil // Login with Amazon does not know the parameter
	case mode == ModeQuery, mode == ModeFormPost, mode == ModeFragment:
		return ResponseCode, mode, nil
	}
	return ResponseCode, ModeQuery, InvalidParameter("response_mode").Because("The response_mode must be query, fragment or form_post.")
}

// maxResources is how many APIs one token can be for.
const maxResources = 4

// parseResources reads resource (RFC 8707 section 2): absolute URIs without a
// fragment. Whether there is such an API is for the caller to see.
func parseResources(p Params) ([]string, *Error) {
	var all []string
	for _, resource := range p.resources {
		u, err := url.Parse(resource)
		if err != nil || u.Scheme == "" || u.Opaque == "" && u.Host == "" || strings.ContainsRune(resource, '#') {
			return nil, InvalidResource().Because("A resource is not an absolute URI without a fragment.")
		}
		if !slices.Contains(all, resource) {
			all = append(all, resource)
		}
	}
	if len(all) > maxResources {
		return nil, InvalidResource().Because(fmt.Sprintf("There are more than %d resources.", maxResources))
	}
	return all, nil
}

// isThumbprint checks a SHA-256 JWK thumbprint (RFC 7638 section 3).
func isThumbprint(s string) bool {
	sum, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return err == nil && len(sum) == sha256.Size && !strings.ContainsAny(s, "\r\n")
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
