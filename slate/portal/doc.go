// Package portal owns Slate's pages: sign-in through Gatelodge, and what partners see
// of their accounts — reports, plots, applications, users.
//
// Gatelodge is met as any application meets it: by its metadata, with the libraries
// that applications use. It is asked when somebody signs in or an application is let
// in; who is signed in already goes on while it is down.
//
// An account's pages lie below /accounts/{account}. Every request to one looks up what
// the person may do there, so a change of permissions holds at the next click; an
// account that somebody is not in is not there for them.
package portal
