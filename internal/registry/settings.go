package registry

import (
	"slices"
	"strings"

	"gatelodge/internal/oauth"
)

// Names of the Settings form's fields.
const (
	FieldKind       = "kind"
	FieldIDTokenAlg = "id_token_alg"
)

// Kind is what an application is. It sets what the application can do and how it
// proves itself, so that nobody has to know the rest.
type Kind uint8

const (
	// Web runs on a server and keeps its secret.
	Web Kind = iota
	// SinglePage runs in a browser and can keep no secret.
	SinglePage
	// Native is installed on a computer or telephone (RFC 8252).
	Native
	// Service acts for itself and never for a user.
	Service
	// Device has no browser of its own, as a television (RFC 8628).
	Device
)

// Kinds are all kinds in the order in which a person chooses.
func Kinds() []Kind { return []Kind{Web, SinglePage, Native, Device, Service} }

// Name is the kind as the console and commands write it.
func (k Kind) Name() string {
	switch k {
	case SinglePage:
		return "single-page"
	case Native:
		return "native"
	case Device:
		return "device"
	case Service:
		return "service"
	default:
		return "web"
	}
}

// Label is the kind as a person chooses it.
func (k Kind) Label() string {
	switch k {
	case SinglePage:
		return "Single page"
	case Native:
		return "Native app"
	case Device:
		return "Device"
	case Service:
		return "Service"
	default:
		return "Web application"
	}
}

// Words say in a sentence what the kind is for.
func (k Kind) Words() string {
	switch k {
	case SinglePage:
		return "A page that runs in the browser. It has no secret; PKCE ties the code to it, and its refresh tokens change at each use."
	case Native:
		return "An app on a computer or telephone. As a single page, and it may come back to any port of its own computer, or by a scheme of its own."
	case Device:
		return "A television or another device without a browser. It shows a code, which its user enters on another screen. It has no secret."
	case Service:
		return "A program that acts for itself and never for a user. It gets tokens with its secret alone."
	default:
		return "A program on a server that keeps its secret. Users allow it; it refreshes its tokens with the secret."
	}
}

// ParseKind reads a kind by its name.
func ParseKind(name string) (Kind, bool) {
	for _, k := range Kinds() {
		if k.Name() == name {
			return k, true
		}
	}
	return Web, false
}

// Public reports whether applications of this kind have no way to keep a secret
// (RFC 6749 section 2.1).
func (k Kind) Public() bool { return k == SinglePage || k == Native || k == Device }

// May reports whether applications of this kind may use a grant. Device clients of a
// profile ([DeviceClient]) may use the device grant whatever the profile's kind.
func (k Kind) May(g oauth.GrantType) bool {
	switch k {
	case Service:
		return g == oauth.GrantClientCredentials
	case SinglePage:
		return g == oauth.GrantAuthorizationCode || g == oauth.GrantRefreshToken
	case Native:
		return g != oauth.GrantClientCredentials
	case Device:
		return g == oauth.GrantDeviceCode || g == oauth.GrantRefreshToken
	default:
		return true
	}
}

// AuthMethod is how an application proves itself at the endpoints for applications.
// Those of a public kind do not.
type AuthMethod uint8

const (
	// AuthSecret is the client secret, by Basic or in the body (RFC 6749 section 2.3.1).
	AuthSecret AuthMethod = iota
	// AuthKey is an assertion signed with a key of the application's own:
	// private_key_jwt (RFC 7523). A secret is then refused.
	AuthKey
)

// TokenFormat is the form of the access tokens that are for an API.
type TokenFormat uint8

const (
	// Opaque tokens are looked up by introspection (RFC 7662).
	Opaque TokenFormat = iota
	// JWT tokens can be checked without asking (RFC 9068), and then live on until
	// they expire.
	JWT
)

// Settings are what a profile's owner may set beside its form and its URLs.
type Settings struct {
	Kind Kind
	// IDTokenAlg is RS256 or ES256.
	IDTokenAlg string
	// Implicit lets the profile use response_type=token, which Login with Amazon
	// has deprecated and old applications need.
	Implicit bool
	Auth     AuthMethod
	// JWKS are the application's public keys as JSON (RFC 7517), or JWKSURI is where
	// they are; at most one is set.
	JWKS, JWKSURI string
	// RequireDPoP refuses token requests without a proof of possession (RFC 9449).
	RequireDPoP bool
	// RequirePAR refuses authorization requests that were not pushed (RFC 9126).
	RequirePAR bool
	// BackChannelLogoutURI is told when a session ends in which the application was
	// given an ID token (Back-Channel Logout 1.0), "" for none.
	BackChannelLogoutURI string
	// TokenFormat is of the access tokens for this profile, where it is an API.
	TokenFormat TokenFormat
}

// IDTokenAlgs are the algorithms that a profile's ID tokens may be signed with, in
// the order in which a person chooses.
func IDTokenAlgs() []string { return []string{DefaultIDTokenAlg, "ES256"} }

// ParseSettings checks the Settings form of a profile that has these return URLs.
func ParseSettings(kind, alg string, urls []ReturnURL) (Settings, FieldErrors) {
	var errs FieldErrors
	k, ok := ParseKind(kind)
	if !ok {
		errs = append(errs, FieldError{Field: FieldKind, Message: "Choose one of the kinds below."})
	}
	if message := checkKind(k, urls); ok && message != "" {
		errs = append(errs, FieldError{Field: FieldKind, Message: message})
	}
	if !slices.Contains(IDTokenAlgs(), alg) {
		errs = append(errs, FieldError{Field: FieldIDTokenAlg, Message: "Choose one of the algorithms below."})
	}
	if errs != nil {
		return Settings{}, errs
	}
	return Settings{Kind: k, IDTokenAlg: alg}, nil
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

// DefaultIDTokenAlg is what every OpenID Connect client can verify.
const DefaultIDTokenAlg = "RS256"
