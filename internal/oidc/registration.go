package oidc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"gatelodge/internal/oauth"
)

// Codes of RFC 7591 section 3.2.2.
const (
	InvalidRedirectURI       oauth.ErrorCode = "invalid_redirect_uri"
	InvalidClientMetadata    oauth.ErrorCode = "invalid_client_metadata"
	InvalidSoftwareStatement oauth.ErrorCode = "invalid_software_statement"
)

const (
	maxRegistration = 64 << 10
	maxMembers      = 200
	maxListed       = 100
)

// ClientMetadata is what an application says of itself when it registers (RFC 7591
// section 2, Dynamic Client Registration 1.0 section 2). The types hold; whether the
// values may be had is not decided here. What was left out is the zero value.
type ClientMetadata struct {
	RedirectURIs    []string
	AuthMethod      string // token_endpoint_auth_method
	GrantTypes      []string
	ResponseTypes   []string
	ApplicationType string
	Name            string
	LogoURI         string
	PolicyURI       string
	Scope           []string
	JWKS            json.RawMessage
	JWKSURI         string
	IDTokenAlg      string
	SubjectType     string
	PostLogoutURIs  []string

	BackChannelLogoutURI string
	RequirePAR           bool // require_pushed_authorization_requests, RFC 9126 section 6
	RequireDPoP          bool // dpop_bound_access_tokens, RFC 9449 section 5.2
}

// ParseClientMetadata reads the body of a registration request (RFC 7591 section
// 3.1). Members that it does not know are ignored, as section 2 wants; so are names
// in other languages, such as client_name#de.
func ParseClientMetadata(body []byte) (ClientMetadata, *oauth.Error) {
	members, err := parseMembers(body)
	if err != nil {
		return ClientMetadata{}, err
	}
	if members["software_statement"] != nil {
		return ClientMetadata{}, &oauth.Error{Code: InvalidSoftwareStatement, Description: "Software statements are not supported: send their members as they are."}
	}
	r := memberReader{members: members}
	var scope string
	m := ClientMetadata{}
	r.list("redirect_uris", &m.RedirectURIs)
	r.text("token_endpoint_auth_method", &m.AuthMethod)
	r.list("grant_types", &m.GrantTypes)
	r.list("response_types", &m.ResponseTypes)
	r.text("application_type", &m.ApplicationType)
	r.text("client_name", &m.Name)
	r.text("logo_uri", &m.LogoURI)
	r.text("policy_uri", &m.PolicyURI)
	r.text("scope", &scope)
	r.object("jwks", &m.JWKS)
	r.text("jwks_uri", &m.JWKSURI)
	r.text("id_token_signed_response_alg", &m.IDTokenAlg)
	r.text("subject_type", &m.SubjectType)
	r.list("post_logout_redirect_uris", &m.PostLogoutURIs)
	r.text("backchannel_logout_uri", &m.BackChannelLogoutURI)
	r.flag("require_pushed_authorization_requests", &m.RequirePAR)
	r.flag("dpop_bound_access_tokens", &m.RequireDPoP)
	// Of these only the type is of interest: they have no effect here.
	var unused []string
	var ignored bool
	r.list("contacts", &unused)
	r.flag("backchannel_logout_session_required", &ignored)
	if r.err != nil {
		return ClientMetadata{}, r.err
	}
	if strings.TrimSpace(scope) != "" {
		if m.Scope, err = oauth.ParseScope(scope); err != nil {
			return ClientMetadata{}, RefuseMetadata("scope", err.Reason)
		}
	}
	if m.JWKS != nil && m.JWKSURI != "" {
		// RFC 7591 section 2: they MUST NOT both be present.
		return ClientMetadata{}, RefuseMetadata("jwks", "Send jwks or jwks_uri, not both.")
	}
	return m, nil
}

// RefuseMetadata refuses one member, in a sentence for whoever wrote it.
func RefuseMetadata(member, words string) *oauth.Error {
	code := InvalidClientMetadata
	if member == "redirect_uris" {
		code = InvalidRedirectURI
	}
	return &oauth.Error{Code: code, Description: ascii(member + ": " + words)}
}

// maxWords bounds a description.
const maxWords = 500

// ascii makes words fit for error_description: ASCII (RFC 7591 section 3.2.2), and of
// that what RFC 6749 appendix A.8 allows.
func ascii(words string) string {
	words = strings.Map(func(r rune) rune {
		switch {
		case strings.ContainsRune("“”„‘’\"`", r):
			return '\''
		case r == '\\':
			return '/'
		case r == '–' || r == '—':
			return '-'
		case r < 0x20 || r > 0x7e:
			return '?'
		}
		return r
	}, words)
	return words[:min(len(words), maxWords)]
}

func notMetadata(words string) *oauth.Error {
	return &oauth.Error{Code: InvalidClientMetadata, Description: words}
}

// parseMembers reads one JSON object, each member of which stands there once (RFC
// 8259 section 4 leaves open what a repeated one means). null is left out.
func parseMembers(body []byte) (map[string]json.RawMessage, *oauth.Error) {
	if len(body) > maxRegistration {
		return nil, notMetadata(fmt.Sprintf("The request has more than %d bytes.", maxRegistration))
	}
	// encoding/json would replace what is not UTF-8, and so read another value than
	// the one that was sent.
	if !utf8.Valid(body) || !json.Valid(body) {
		return nil, notMetadata("The request is not JSON in UTF-8.")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, notMetadata("The request is JSON, but not an object.")
	}
	members := map[string]json.RawMessage{}
	seen := map[string]bool{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, notMetadata("The request is not JSON.")
		}
		name, _ := key.(string)
		var value json.RawMessage
		switch err := dec.Decode(&value); {
		case err != nil:
			return nil, notMetadata("The request is not JSON.")
		case seen[name]:
			return nil, notMetadata("A member of the request was sent more than once.")
		case len(seen) == maxMembers:
			return nil, notMetadata(fmt.Sprintf("The request has more than %d members.", maxMembers))
		}
		seen[name] = true
		if string(value) != "null" {
			members[name] = value
		}
	}
	return members, nil
}

// memberReader reads members with their types, and keeps the first refusal.
type memberReader struct {
	members map[string]json.RawMessage
	err     *oauth.Error
}

func (r *memberReader) read(name, kind string, into any) {
	raw, ok := r.members[name]
	if !ok || r.err != nil {
		return
	}
	if err := json.Unmarshal(raw, into); err != nil {
		r.err = RefuseMetadata(name, "This has to be "+kind+".")
	}
}

func (r *memberReader) text(name string, into *string) {
	r.read(name, "a text", into)
	r.check(name, *into)
}

func (r *memberReader) flag(name string, into *bool) { r.read(name, "true or false", into) }

// list reads an array; one that is empty is not nil.
func (r *memberReader) list(name string, into *[]string) {
	var values []*string // a null among them would pass for an empty text
	r.read(name, "an array of texts", &values)
	if r.err == nil && len(values) > maxListed {
		r.err = RefuseMetadata(name, fmt.Sprintf("This has more than %d entries.", maxListed))
	}
	if values != nil {
		*into = []string{}
	}
	for _, v := range values {
		if v == nil {
			v = new(string)
		}
		if r.err == nil && *v == "" {
			r.err = RefuseMetadata(name, "One of the entries is empty.")
		}
		r.check(name, *v)
		*into = append(*into, *v)
	}
}

func (r *memberReader) object(name string, into *json.RawMessage) {
	raw, ok := r.members[name]
	if !ok || r.err != nil {
		return
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil || compact.Bytes()[0] != '{' {
		r.err = RefuseMetadata(name, "This has to be an object.")
		return
	}
	*into = compact.Bytes()
}

// check refuses texts that PostgreSQL would, and those that an escape has made
// something else of than was meant.
func (r *memberReader) check(name, value string) {
	if r.err == nil && strings.ContainsAny(value, "\x00\uFFFD") {
		r.err = RefuseMetadata(name, "This has a character that is not valid text.")
	}
}

// ClientInformation is the answer to a registration (RFC 7591 section 3.2.1): the
// metadata that are in force, and nothing that is not.
type ClientInformation struct {
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret,omitempty"`
	// IssuedAt is in seconds. SecretExpiresAt is there with a secret, and 0 for no end.
	IssuedAt        int64  `json:"client_id_issued_at"`
	SecretExpiresAt *int64 `json:"client_secret_expires_at,omitempty"`

	RedirectURIs    []string        `json:"redirect_uris,omitempty"`
	AuthMethod      string          `json:"token_endpoint_auth_method"`
	GrantTypes      []string        `json:"grant_types"`
	ResponseTypes   []string        `json:"response_types"`
	ApplicationType string          `json:"application_type"`
	Name            string          `json:"client_name"`
	LogoURI         string          `json:"logo_uri,omitempty"`
	PolicyURI       string          `json:"policy_uri,omitempty"`
	Scope           string          `json:"scope,omitempty"`
	JWKS            json.RawMessage `json:"jwks,omitempty"`
	JWKSURI         string          `json:"jwks_uri,omitempty"`
	IDTokenAlg      string          `json:"id_token_signed_response_alg,omitempty"`
	SubjectType     string          `json:"subject_type"`
	PostLogoutURIs  []string        `json:"post_logout_redirect_uris,omitempty"`

	BackChannelLogoutURI string `json:"backchannel_logout_uri,omitempty"`
	// BackChannelLogoutSession: logout tokens always name the session.
	BackChannelLogoutSession bool `json:"backchannel_logout_session_required,omitempty"`
	RequirePAR               bool `json:"require_pushed_authorization_requests,omitempty"`
	RequireDPoP              bool `json:"dpop_bound_access_tokens,omitempty"`
}
