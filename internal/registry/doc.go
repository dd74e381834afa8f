// Package registry owns the objects that a developer keeps in the console, and their rules: security profiles, allowed
// return URLs and origins, client secrets, consent logos, identifiers, and the scopes that an application may ask for.
//
// Everything here is a value. Parse functions take what a person typed and give back either the value or an account of
// what is wrong, in words that say what to write instead. Nothing is rewritten on the way: a return URL is compared
// byte for byte when an application sends it, so the console stores exactly what the developer confirmed and offers a
// corrected spelling as a suggestion.
package registry
