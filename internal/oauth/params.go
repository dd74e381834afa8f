package oauth

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	maxParams = 100
	maxJSON   = 32 << 10
)

// Limits in bytes.
const (
	maxClientID     = 100
	maxClientSecret = 256
	maxToken        = 2048
	// maxNonce leaves a code that carries a nonce within its 1,024 characters.
	maxNonce = 512
)

// limit is the length up to which the value of a parameter is read. Parameters
// it does not know are ignored (RFC 6749 sections 3.1 and 3.2), repeated or not.
func limit(name string) (bytes int, known bool) {
	switch name {
	case "client_assertion_type", "code_challenge_method", "dpop_jkt", "grant_type", "max_age", "prompt", "response_mode", "response_type",
		"token_type_hint", "user_code":
		return 128, true
	case "code_challenge", "code_verifier":
		return maxVerifier, true
	case "client_id":
		return maxClientID, true
	case "client_secret":
		return maxClientSecret, true
	case "device_code", "login_hint", "request_uri", "ui_locales":
		return 256, true
	case "acr_values", "nonce":
		return maxNonce, true
	case "redirect_uri", "resource", "scope":
		return 2000, true
	case "code", "refresh_token", "token":
		return maxToken, true
	case "state":
		return 4096, true
	case "access_token":
		// Each of its '|' may be percent-encoded; ParsePresented has the last word.
		return 2 * maxToken, true
	case "claims", "client_assertion", "id_token_hint", "request", "scope_data":
		return 8192, true
	default:
		return 0, false
	}
}

// Params are the parameters of one request, each either good or refused. The
// refusals are kept beside the values, and not returned at once, because a
// refused scope must reach the client by redirect while a refused redirect_uri
// must not. The parsers of this package see to both.
type Params struct {
	values map[string]string
	// resources are the values of resource, which alone may be repeated.
	resources []string
	refused   map[string]*Error
	// whole refuses the request before any parameter is looked at.
	whole *Error
}

// ParseParams reads the parameters of a query or a body.
func ParseParams(v url.Values) Params {
	p := Params{values: make(map[string]string, len(v))}
	count := 0
	for name, values := range v {
		count += len(values)
		bytes, known := limit(name)
		if !known {
			continue
		}
		value, err := single(name, values, bytes)
		switch {
		case err != nil:
			if p.refused == nil {
				p.refused = make(map[string]*Error)
			}
			p.refused[name] = err
		case value != "":
			p.values[name] = value
			if name == "resource" {
				p.resources = values
			}
		}
	}
	if count > maxParams {
		return Params{whole: &Error{Code: InvalidRequest, Description: "The request has too many parameters"}}
	}
	return p
}

func single(name string, values []string, bytes int) (string, *Error) {
	// RFC 8707 section 2: resource alone may be repeated.
	if len(values) > 1 && name != "resource" {
		// RFC 6749 sections 3.1 and 3.2: parameters MUST NOT be included more than once.
		return "", InvalidParameter(name).Because(fmt.Sprintf("The parameter %s was sent %d times.", name, len(values)))
	}
	for _, value := range values {
		switch {
		case len(value) > bytes:
			return "", InvalidParameter(name).Because(fmt.Sprintf("The parameter %s is %d bytes long; at most %d are read.", name, len(value), bytes))
		case !utf8.ValidString(value) || strings.ContainsRune(value, 0):
			// RFC 6749 appendix B: values are UTF-8.
			return "", InvalidParameter(name).Because(fmt.Sprintf("The parameter %s is not UTF-8 text, or holds a zero byte.", name))
		}
	}
	if len(values) == 0 {
		return "", nil
	}
	// RFC 6749 sections 3.1 and 3.2: a parameter sent without a value is treated
	// as omitted, so the empty string stands for both.
	return values[0], nil
}

// Value returns a parameter, or "" when it was left out or refused. It serves
// what happens after a refusal: the state to send back, the client to name.
func (p Params) Value(name string) string { return p.values[name] }

// refusal returns the first refusal by name, so that a request with several
// faults always gets the same answer.
func (p Params) refusal() *Error {
	if p.whole != nil {
		return p.whole
	}
	if len(p.refused) == 0 {
		return nil
	}
	return p.refused[slices.Min(slices.Collect(maps.Keys(p.refused)))]
}

// required returns a parameter that must have been sent.
func (p Params) required(name string) (string, *Error) {
	switch {
	case p.whole != nil:
		return "", p.whole
	case p.refused[name] != nil:
		return "", p.refused[name]
	case p.values[name] == "":
		return "", MissingParameter(name)
	default:
		return p.values[name], nil
	}
}

// ParseJSON reads a body of type application/json, which clients of Login with
// Amazon post to the token endpoint in place of a form (login-with-amazon.md
// section 7): one flat object. Numbers and booleans count as their literal text,
// null as left out.
func ParseJSON(body []byte) (url.Values, *Error) {
	if len(body) > maxJSON {
		return nil, malformedJSON(fmt.Sprintf("The body is %d bytes long; at most %d are read.", len(body), maxJSON))
	}
	// encoding/json would replace what is not UTF-8, and so read another value
	// than the one that was sent.
	if !utf8.Valid(body) || !json.Valid(body) {
		return nil, malformedJSON("The body is not JSON.")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, malformedJSON("The body is JSON, but not an object.")
	}
	v := url.Values{}
	seen := map[string]bool{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, malformedJSON("The body is not JSON.")
		}
		value, err := dec.Token()
		if err != nil {
			return nil, malformedJSON("The body is not JSON.")
		}
		name, _ := key.(string)
		if seen[name] {
			// RFC 8259 section 4 leaves the meaning of a repeated name open.
			return nil, InvalidParameter(name).Because("A member of the JSON object was sent more than once.")
		}
		seen[name] = true
		switch value := value.(type) {
		case nil:
		case string:
			v.Set(name, value)
		case json.Number:
			v.Set(name, value.String())
		case bool:
			v.Set(name, fmt.Sprint(value))
		default:
			return nil, InvalidParameter(name).Because("A member of the JSON object is an object or an array; only texts are read.")
		}
	}
	return v, nil
}

func malformedJSON(reason string) *Error {
	return &Error{Code: InvalidRequest, Description: "The request body is not a flat JSON object", Reason: reason}
}
