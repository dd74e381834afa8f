package account

import "time"

// Account is a person who can sign in. A zero time means "not": not confirmed, not
// disabled.
type Account struct {
	ID               int64
	Email            string // as the person wrote it; EmailKey tells accounts apart
	Name             string
	PostalCode       string
	EmailConfirmedAt time.Time
	CreatedAt        time.Time
	UpdatedAt        time.Time
	DisabledAt       time.Time
	// OperatorSince is set of who may do in the console what is the operator's.
	OperatorSince time.Time
	Version       int64
}

// DeveloperAccount is what security profiles belong to: a company, or a person
// who develops alone. Accounts are its members.
type DeveloperAccount struct {
	ID        int64
	Company   string
	Country   string // ISO 3166-1 alpha-2
	CreatedAt time.Time
}

// EmailPolicy says when an e-mail address counts as its account's own.
type EmailPolicy uint8

const (
	// ConfirmRequired: only after the person has opened the link sent to it.
	ConfirmRequired EmailPolicy = iota
	// ConfirmNotAsked: at once. For an issuer on loopback without a mail server,
	// where no link could be sent and nobody else can sign up.
	ConfirmNotAsked
)

// Released is the e-mail address as applications may learn it and as invitations
// may be matched with it: empty while it is only a claim. An address that its
// owner never confirmed would let anyone pass for its owner at an application that
// trusts the claim.
func (p EmailPolicy) Released(a Account) string {
	if p == ConfirmRequired && a.EmailConfirmedAt.IsZero() {
		return ""
	}
	return a.Email
}
