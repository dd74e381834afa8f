// Package audit owns what is remembered about who did what: the [Event] that a
// change writes in its own transaction, and the [Refusal] that tells a profile's
// owner in words why a request of the application was turned away.
//
// Neither ever holds a secret, a token or a password.
package audit

import (
	"crypto/sha256"
	"time"
)

// Retention is how long events are kept.
const Retention = 400 * 24 * time.Hour

// By says who acts, from where, in which request and when. AccountID is 0 for the
// operator's commands.
type By struct {
	AccountID int64
	Address   string
	RequestID string
	At        time.Time
}

// Kind names what happened.
type Kind string

const (
	AccountCreated     Kind = "account.created"
	AccountChanged     Kind = "account.changed"
	AccountDisabled    Kind = "account.disabled"
	AccountEnabled     Kind = "account.enabled"
	AccountDeleted     Kind = "account.deleted"
	EmailConfirmed     Kind = "account.email_confirmed"
	PasswordChanged    Kind = "account.password_changed"
	PasswordRecovered  Kind = "account.password_recovered"
	SessionEnded       Kind = "session.ended"
	DeveloperCreated   Kind = "developer.created"
	ProfileCreated     Kind = "profile.created"
	ProfileRegistered  Kind = "profile.registered"
	ProfileChanged     Kind = "profile.changed"
	ProfileSuspended   Kind = "profile.suspended"
	ProfileResumed     Kind = "profile.resumed"
	ProfileDeleted     Kind = "profile.deleted"
	WebSettingsChanged Kind = "profile.web_settings_changed"
	SettingsChanged    Kind = "profile.settings_changed"
	SecretShown        Kind = "secret.shown"
	SecretUsed         Kind = "secret.used_in_console"
	SecretCreated      Kind = "secret.created"
	SecretEnded        Kind = "secret.ended"
	DeviceAdded        Kind = "device.added"
	DeviceRemoved      Kind = "device.removed"
	GrantGiven         Kind = "grant.given"
	GrantRemoved       Kind = "grant.removed"
	FamilyEnded        Kind = "grant.code_replayed"
	TokenReused        Kind = "grant.token_reused"
	KeyRotated         Kind = "key.rotated"
	ScopeCreated       Kind = "scope.created"
	ScopeChanged       Kind = "scope.changed"
	ScopeRetired       Kind = "scope.retired"
	ScopesGranted      Kind = "profile.scopes_granted"
	ScopesWithdrawn    Kind = "profile.scopes_withdrawn"
	AudienceChanged    Kind = "profile.audience_changed"
	OperatorMade       Kind = "account.operator_made"
	OperatorRemoved    Kind = "account.operator_removed"

	HomeLinked      Kind = "account.home_linked"
	HomeSessionGone Kind = "session.ended_at_home"
	RegionAdmitted  Kind = "profile.region_admitted"

	InitialTokenCreated Kind = "registration_token.created"
	InitialTokenRevoked Kind = "registration_token.revoked"
)

var words = map[Kind]string{
	AccountCreated:    "Account created",
	AccountChanged:    "Account details changed",
	AccountDisabled:   "Account disabled",
	AccountEnabled:    "Account enabled",
	AccountDeleted:    "Account deleted",
	EmailConfirmed:    "E-mail address confirmed",
	PasswordChanged:   "Password changed",
	PasswordRecovered: "Password set by recovery link",
	SessionEnded:      "Session ended",
	DeveloperCreated:  "Developer account created",
	ProfileCreated:    "Security profile created",
	ProfileRegistered: "Application registered itself",

	HomeLinked:      "Account of another region connected",
	HomeSessionGone: "Session ended by signing out at home",
	RegionAdmitted:  "Region admitted by the operator",

	InitialTokenCreated: "Registration token created",
	InitialTokenRevoked: "Registration token revoked",

	ProfileChanged:     "Security profile changed",
	ProfileSuspended:   "Security profile suspended",
	ProfileResumed:     "Security profile resumed",
	ProfileDeleted:     "Security profile deleted",
	WebSettingsChanged: "Web settings changed",
	SettingsChanged:    "Settings changed",
	SecretShown:        "Client secret shown",
	SecretUsed:         "Client secret used to run the flow in the console",
	SecretCreated:      "Client secret created",
	SecretEnded:        "Client secret ended",
	DeviceAdded:        "Device client ID made",
	DeviceRemoved:      "Device client ID removed: its tokens ended",
	GrantGiven:         "Consent given",
	GrantRemoved:       "Consent removed",
	FamilyEnded:        "Authorization code used twice: its tokens ended",
	TokenReused:        "Refresh token used twice: its tokens ended",
	KeyRotated:         "Key rotated",
	ScopeCreated:       "Scope created",
	ScopeChanged:       "Scope changed",
	ScopeRetired:       "Scope retired",
	ScopesGranted:      "Scopes granted by the operator",
	ScopesWithdrawn:    "Scopes withdrawn by the operator",
	AudienceChanged:    "Identifier as an API changed by the operator",
	OperatorMade:       "Made an operator",
	OperatorRemoved:    "No operator any more",
}

// Words is the kind as people read it.
func (k Kind) Words() string {
	if w, ok := words[k]; ok {
		return w
	}
	return string(k)
}

// Event is one thing that happened. Ids that do not apply are 0.
type Event struct {
	ID        int64
	Kind      Kind
	At        time.Time
	AccountID int64 // whom it concerns
	ActorID   int64 // who did it
	ActorName string
	ProfileID int64
	Detail    string
	Address   string
	RequestID string
}

// MaxRefusals is how many refusals, merged by cause, are kept per profile.
const MaxRefusals = 50

// OriginNotAllowed is the Code of a refusal whose Sent is the origin of a page: it is
// none of the protocol's, which does not know of pages.
const OriginNotAllowed = "origin_not_allowed"

// Refusal tells a profile's owner why a request was turned away: the wire may not
// say it. Refusals of one cause are one entry with a count.
type Refusal struct {
	ProfileID int64
	// Endpoint is the path that refused, Code the protocol's error code or
	// [OriginNotAllowed].
	Endpoint string
	Code     string
	// Words say what was wrong, for a developer.
	Words string
	// Sent is the value that was refused, Nearest the registered value that is
	// most like it; both may be empty.
	Sent      string
	Nearest   string
	RequestID string
	Count     int64
	FirstAt   time.Time
	LastAt    time.Time
}

// Cause is the key under which refusals are merged: everything but the request
// and the time.
func (r Refusal) Cause() [16]byte {
	h := sha256.New()
	for _, part := range []string{r.Endpoint, r.Code, r.Words, r.Sent} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	return [16]byte(h.Sum(nil)[:16])
}
