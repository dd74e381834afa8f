// Package oauth owns the vocabulary of the protocol: it turns what a client sent
// into typed values or a typed [Error], after RFC 6749 (the framework), RFC 6750
// (bearer tokens) and RFC 7636 (PKCE), in two dialects, see [Dialect].
//
// A request is read in two steps. [ParseParams] applies what holds for every
// parameter: at most once, within its length, proper text. The parsers of single
// requests then take from the [Params] what they need, and refuse the request
// when any parameter was refused. They differ in where the refusal goes: an
// [Error] of [ParseAuthorizationTarget] must be shown as a page, because there is
// no address yet that may be trusted; an [Error] of [ParseAuthorizationRequest]
// goes to the client by redirect.
//
// The package is pure: no I/O, no clock, no net/http, and it knows no client and
// no scope by name. What a client may ask for is the business of package registry.
package oauth

// Dialect is the set of rules that a request is read under. The path of the
// authorization request fixes it, and the code carries it on.
type Dialect uint8

const (
	// Standard is OAuth 2.1: S256 only.
	Standard Dialect = iota
	// LoginWithAmazon is what clients of Login with Amazon rely on: PKCE is
	// advised only, and plain is its default method.
	LoginWithAmazon
)
