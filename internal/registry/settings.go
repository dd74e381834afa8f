package registry

import "gatelodge/internal/oauth"

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
		return "A page that runs in the browser and can keep no secret."
	case Native:
		return "An app on a computer or telephone, which can keep no secret."
	case Device:
		return "A television or another device without a browser."
	case Service:
		return "A program that acts for itself and never for a user."
	default:
		return "A program on a server that keeps its secret."
	}
}

// Means says what follows from the kind.
func (k Kind) Means() string {
	switch k {
	case SinglePage:
		return "PKCE ties the code to it instead, and its refresh tokens change at each use. The page’s address goes under Allowed Origins."
	case Native:
		return "As for a single page, PKCE takes the place of a secret. It may come back to any port of its own computer, or by a scheme of its own."
	case Device:
		return "It shows a code, which its user enters on another screen. It can keep no secret and needs no return URL."
	case Service:
		return "It gets tokens with its secret, or with a key of its own. It needs no return URL, because no user is sent to it."
	default:
		return "Users allow it; it gets and refreshes its tokens with its secret, or with a key of its own."
	}
}

// ParseKind reads a kind by its name.
func ParseKind(name string) (Kind, bool) {
	return byName(Kinds(), name)
}

// Public reports whether applications of this kind have no way to keep a secret
// (RFC 6749 section 2.1).
func (k Kind) Public() bool { return k == SinglePage || k == Native || k == Device }

// Uses reports whether a field of the Settings form means something for applications
// of this kind. The others are at their defaults, whatever the form says.
func (k Kind) Uses(field string) bool {
	switch field {
	case FieldAuth, FieldJWKS, FieldJWKSURI:
		return !k.Public()
	case FieldIDTokenAlg:
		return k != Service // an ID token is about a user
	case FieldImplicit:
		return k == Web || k == SinglePage
	case FieldRequirePAR, FieldBackChannelLogoutURI, FieldPostLogoutURLs:
		return k.May(oauth.GrantAuthorizationCode)
	default:
		return true
	}
}

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

// AuthMethods are all of them in the order in which a person chooses.
func AuthMethods() []AuthMethod { return []AuthMethod{AuthSecret, AuthKey} }

// Name is the method as the console and commands write it.
func (m AuthMethod) Name() string {
	if m == AuthKey {
		return "key"
	}
	return "secret"
}

// TokenFormat is the form of the access tokens that are for an API.
type TokenFormat uint8

const (
	// Opaque tokens are looked up by introspection (RFC 7662).
	Opaque TokenFormat = iota
	// JWT tokens can be checked without asking (RFC 9068), and then live on until
	// they expire.
	JWT
)

// TokenFormats are all of them in the order in which a person chooses.
func TokenFormats() []TokenFormat { return []TokenFormat{Opaque, JWT} }

// Name is the format as the console and commands write it.
func (f TokenFormat) Name() string {
	if f == JWT {
		return "jwt"
	}
	return "opaque"
}

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

// DefaultIDTokenAlg is what every OpenID Connect client can verify.
const DefaultIDTokenAlg = "RS256"

// IDTokenAlgs are the algorithms that a profile's ID tokens may be signed with, in
// the order in which a person chooses.
func IDTokenAlgs() []string { return []string{DefaultIDTokenAlg, "ES256"} }

// DefaultSettings are those that the kind sets by itself.
func DefaultSettings(k Kind) Settings { return Settings{Kind: k, IDTokenAlg: DefaultIDTokenAlg} }
