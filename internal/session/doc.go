// Package session owns who is signed in: the cookie that names an
// [account.Session], the guard in front of pages ([Manager.Require],
// [Manager.RequireForm]) and the one place where a password is checked
// ([Manager.Authenticate], [Manager.Confirm]).
//
// When a form arrives after its session has run out, the typed values are sealed
// for the account whose session it was and travel in the sign-in page; after
// sign-in they are shown in the form again and never submitted by themselves.
//
// Cookies: the session (random, only its digest is stored), and the device, which
// knows this browser again: whose session it last had, and that this account has
// signed in here before, so that guessing elsewhere does not slow its owner down.
package session
