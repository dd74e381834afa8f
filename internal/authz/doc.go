// Package authz owns the life of an authorization: the [Grant] that a user gives
// a security profile, the [Consent] that it rests on, and the values that hang on
// it: a [Code], the [AccessToken] and the [RefreshToken].
//
// A grant is the root of token families. A family is what one authorization code
// started; it bears the code's id. Removing the grant ends all of its families,
// a code that is redeemed twice ends its own. A token is alive only as long as
// its family, its grant, the grant's profile and the grant's account are.
//
// The package is pure: payloads are encoded to bytes here and sealed elsewhere
// (package seal), rows are kept elsewhere (package store), and the time is an
// argument. Times in payloads are whole seconds.
package authz
