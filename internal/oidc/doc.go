// Package oidc owns the vocabulary of OpenID Connect: the claims of ID tokens,
// logout tokens and UserInfo, the parameters that Core adds to an authorization
// request, the request of RP-initiated logout, and the discovery document.
//
// Claims come out as JSON, to be signed by package signing or to be answered as
// they are. What a user may be asked for and has allowed is not decided here: the
// caller hands in a [ClaimSet].
//
// The package is pure: no I/O, no clock, no net/http.
package oidc
