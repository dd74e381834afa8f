package account

import "time"

// Home is the region in which an account lives, when that is another one: the issuer
// of that region, and the name that the account has there. Who has a home elsewhere
// signs in there, and needs no password here.
type Home struct{ Issuer, Subject string }

// SignedInAtHome is what a region says of somebody whom it has just vouched for.
type SignedInAtHome struct {
	// AuthenticatedAt is when the person last proved there that it is them.
	AuthenticatedAt time.Time
	// Session is the name of the session there.
	Session string
}

// At is the session as one that began with the session at home. A clock that is ahead
// there makes nothing fresher than it is.
func (s Session) At(home SignedInAtHome) Session {
	s.HomeSession = home.Session
	if home.AuthenticatedAt.Before(s.AuthenticatedAt) {
		s.AuthenticatedAt = home.AuthenticatedAt
	}
	return s
}
