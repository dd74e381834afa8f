// Package signin owns the pages on which people sign in and look after their
// account: sign-in, sign-out, sign-up, the confirmation of an e-mail address,
// recovery, the account page and the connected applications.
//
// # How a request flows
//
// routes.go lists every route. Each handler parses its form, asks session to check
// a password and to start or end a session, asks store to decide, and answers with
// a page, the form again (422), or 303 to the next page. What was done is said by
// the page that follows, which reads it from a fixed list (notices.go).
//
// Where a person goes after signing in is a [destination]: a path of this site and
// nothing else. What somebody typed before their session ran out travels through
// the sign-in pages sealed, and is given back to the account that typed it and to
// no other (sign_in.go).
//
// # What a stranger may learn
//
// No answer says whether an e-mail address has an account, on a server that sends
// mail: sign-in, sign-up, recovery and a change of address answer alike, and what
// differs is said by mail, which is sent after the answer (outbox.go) so that its
// duration says nothing either. On loopback without a mail server there are no
// strangers, and sign-up says plainly that an address is taken.
//
// Links in mails are made from the issuer, never from the request's Host
// (GHSA-2wmj-46rj-qm2w).
package signin
