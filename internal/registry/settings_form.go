package registry

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Names of the Settings form's fields, in its order.
const (
	FieldKind                 = "kind"
	FieldAuth                 = "auth"
	FieldJWKS                 = "jwks"
	FieldJWKSURI              = "jwks_uri"
	FieldIDTokenAlg           = "id_token_alg"
	FieldTokenFormat          = "token_format"
	FieldImplicit             = "implicit"
	FieldRequireDPoP          = "require_dpop"
	FieldRequirePAR           = "require_par"
	FieldBackChannelLogoutURI = "backchannel_logout_uri"
	FieldPostLogoutURLs       = "post_logout_urls"
)

// Limits of Settings.
const (
	MaxPostLogoutURLs = 20
	JWKSMaxBytes      = 32 << 10
)

// SettingsForm is the Settings form as it is filled in. What a person chooses from a
// list is there by its name.
type SettingsForm struct {
	Kind, Auth, IDTokenAlg, TokenFormat string
	JWKS, JWKSURI, BackChannelLogoutURI string
	Implicit, RequireDPoP, RequirePAR   bool
	PostLogoutURLs                      []ReturnURL
}

// FormOfSettings is the form as it shows what is saved.
func FormOfSettings(s Settings, postLogout []ReturnURL) SettingsForm {
	return SettingsForm{
		Kind: s.Kind.Name(), Auth: s.Auth.Name(), IDTokenAlg: s.IDTokenAlg, TokenFormat: s.TokenFormat.Name(),
		JWKS: s.JWKS, JWKSURI: s.JWKSURI, BackChannelLogoutURI: s.BackChannelLogoutURI,
		Implicit: s.Implicit, RequireDPoP: s.RequireDPoP, RequirePAR: s.RequirePAR,
		PostLogoutURLs: postLogout,
	}
}

// KeyCheck says what is wrong with a key set in JSON, "" when nothing is. It is handed
// in, because this package knows no cryptography.
type KeyCheck func(jwks string) (problem string)

// ParseSettings checks the Settings form of a profile that has these return URLs, and
// returns the settings with the post-logout URLs. Fields that the kind does not use
// are not looked at, so that a change of kind needs no tidying up first. Errors stand
// in the order of the form.
func ParseSettings(f SettingsForm, urls []ReturnURL, keys KeyCheck) (Settings, []ReturnURL, FieldErrors) {
	k, ok := ParseKind(f.Kind)
	if !ok {
		return Settings{}, nil, FieldErrors{{Field: FieldKind, Message: "Choose one of the kinds below."}}
	}
	s := DefaultSettings(k)
	s.RequireDPoP = f.RequireDPoP
	s.Implicit = f.Implicit && k.Uses(FieldImplicit)
	s.RequirePAR = f.RequirePAR && k.Uses(FieldRequirePAR)
	var errs FieldErrors
	check := func(field, message, suggestion string) {
		if message != "" {
			errs = append(errs, FieldError{field, message, suggestion})
		}
	}

	check(FieldKind, checkKind(k, urls), "")
	if k.Uses(FieldAuth) {
		var problems FieldErrors
		s.Auth, s.JWKS, s.JWKSURI, problems = parseAuthentication(f, keys)
		errs = append(errs, problems...)
	}
	if k.Uses(FieldIDTokenAlg) {
		s.IDTokenAlg = f.IDTokenAlg
		if !slices.Contains(IDTokenAlgs(), f.IDTokenAlg) {
			check(FieldIDTokenAlg, "Choose one of the algorithms below.", "")
		}
	}
	if s.TokenFormat, ok = byName(TokenFormats(), f.TokenFormat); !ok {
		check(FieldTokenFormat, "Choose one of the formats below.", "")
	}
	if k.Uses(FieldBackChannelLogoutURI) {
		s.BackChannelLogoutURI = f.BackChannelLogoutURI
		message, suggestion := checkServerAddress(f.BackChannelLogoutURI)
		check(FieldBackChannelLogoutURI, message, suggestion)
	}
	var postLogout []ReturnURL
	if k.Uses(FieldPostLogoutURLs) {
		var problems FieldErrors
		postLogout, problems = parseRows(f.PostLogoutURLs, FieldPostLogoutURLs, MaxPostLogoutURLs, func(s string) *URLProblem {
			_, problem := ParseReturnURL(k, s)
			return problem
		})
		errs = append(errs, problems...)
	}
	if errs != nil {
		return Settings{}, nil, errs
	}
	return s, postLogout, nil
}

// parseAuthentication reads how a confidential application proves itself. Keys may
// stand there before they are needed, so that the change from a secret to them can be
// made in two steps.
func parseAuthentication(f SettingsForm, keys KeyCheck) (m AuthMethod, jwks, uri string, errs FieldErrors) {
	m, ok := byName(AuthMethods(), f.Auth)
	if !ok {
		errs = append(errs, FieldError{Field: FieldAuth, Message: "Choose one of the two below."})
	}
	// Browsers post each line break as two characters.
	jwks = strings.TrimSpace(strings.ReplaceAll(f.JWKS, "\r\n", "\n"))
	uri = f.JWKSURI
	if problem := checkKeys(jwks, keys); problem != "" {
		errs = append(errs, FieldError{Field: FieldJWKS, Message: problem})
	}
	if message, suggestion := checkServerAddress(uri); message != "" {
		errs = append(errs, FieldError{FieldJWKSURI, message, suggestion})
	}
	switch {
	case m == AuthKey && jwks == "" && uri == "":
		errs = append(errs, FieldError{Field: FieldJWKS,
			Message: "Give the application’s public keys, as a key set or as the address of one: a signed assertion is checked with them."})
	case jwks != "" && uri != "":
		// RFC 7591 section 2: the two MUST NOT both be present.
		errs = append(errs, FieldError{Field: FieldJWKSURI,
			Message: "Keep one of the two: the key set, or the address of one."})
	}
	return m, jwks, uri, errs
}

func checkKeys(jwks string, keys KeyCheck) (problem string) {
	switch {
	case jwks == "":
		return ""
	case len(jwks) > JWKSMaxBytes:
		return fmt.Sprintf("Shorten this to %d bytes; it has %d. Only keys that are in use have to be here.", JWKSMaxBytes, len(jwks))
	case !utf8.ValidString(jwks):
		return "Write this again: some of its characters did not arrive as valid UTF-8."
	}
	return keys(jwks)
}

// checkServerAddress checks an address that this server is to call, "" being none. It
// has the spelling of a return URL; where it leads is judged when it is called.
func checkServerAddress(s string) (message, suggestion string) {
	if s == "" {
		return "", ""
	}
	if problem := checkReturnURL(s); problem != "" {
		return problem, suggest(s, ReturnURLMaxBytes, repairAddress, checkReturnURL)
	}
	return "", ""
}

// byName finds what a form or a command names.
func byName[T interface{ Name() string }](all []T, name string) (found T, ok bool) {
	i := slices.IndexFunc(all, func(v T) bool { return v.Name() == name })
	if i < 0 {
		return found, false
	}
	return all[i], true
}

// checkKind refuses a kind whose rules the return URLs do not meet: codes go
// nowhere that the profile's own form would not take.
func checkKind(k Kind, urls []ReturnURL) (problem string) {
	var refused []string
	for _, u := range urls {
		if _, problem := ParseReturnURL(k, u.Value); problem != nil {
			refused = append(refused, u.Value)
		}
	}
	if refused == nil {
		return ""
	}
	return "Only a native app may have the return URL " + strings.Join(refused, ", ") + ". Remove it under Web Settings first."
}
