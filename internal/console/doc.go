// Package console owns the developer's pages: the list of security profiles, the
// form that makes and edits one, its Web Settings with the credentials, its TVs and
// Other Devices, its Settings, its scopes, a run of its flow, and its activity; and
// the operator's pages of scopes.
//
// A request flows
//
//	Kit.Browser → session.Require → developer → handler → store
//
// [web.Kit.Browser] checks the origin and the size and answers errors;
// session.Require knows who is signed in; developer finds the developer account
// that profiles are looked up under, or leads to the page that makes one. The
// handler reads the form, has package registry judge it, and calls one method of
// the store. Ownership is part of every query: another's profile is not found.
//
// For the operator's pages, operator stands in the place of developer: it lets through
// whoever is an operator now, and to everybody else there is nothing.
//
// Every form is posted to the address that shows it, so that somebody whose
// session ran out in the middle comes back to the form, with what they typed.
//
// A run of the flow ("Try it") plays the application of a profile. The browser goes to
// the authorization endpoint and comes back to a return URL of the console's own, which
// the provider knows ([registry.RunReturnURL]); the requests of the application go
// through [Options.Protocol], the server's own handler, so that nothing in them is made
// up. A run has no rows: the browser carries it, sealed, as state and in the page's
// form. Each request is told once, as a call, from which the request itself and the
// code in four languages are made.
//
// Two people who edit at once: each form carries a mark of what it was filled
// with ("seen"). A save over something else than that is not made; the form comes
// back with both versions and the newer mark, so that a second Save is made
// knowingly. The forms of a profile have a mark each and do not disturb one another.
package console
