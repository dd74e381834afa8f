// Package account owns what Gatelodge knows of people and the rules for it: an
// [Account], the [DeveloperAccount] that it may work for, the [Session] of a
// signed-in browser, how passwords are kept ([Hasher]), what a person may type
// into the fields (the Parse functions), how guessing is slowed ([ThrottleKind],
// [Rate]), how a forgotten password is replaced ([Recovery]) and where an account
// lives that is at home in another region ([Home]).
//
// The package is pure: rows are kept elsewhere (package store), mails are sent
// elsewhere (package mail), and the time is an argument.
package account
