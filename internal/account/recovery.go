package account

import "time"

const (
	// RecoveryLifetime is how long a recovery link can be used.
	RecoveryLifetime = 30 * time.Minute
	// ConfirmationLifetime is how long the link that confirms an e-mail address can
	// be used.
	ConfirmationLifetime = 24 * time.Hour
)

// Recovery lets whoever holds its link choose a new password for one account,
// once: consuming it, setting the password and ending the account's sessions and
// other recoveries is one transaction of the store. Who opened the link has shown
// that the mailbox is theirs, so it confirms the e-mail address as well.
type Recovery struct {
	Digest    [32]byte
	AccountID int64
	ExpiresAt time.Time
}

// NewRecovery begins a recovery and returns the value for its link.
func NewRecovery(accountID int64, now time.Time) (value string, r Recovery) {
	value, digest := NewToken()
	return value, Recovery{Digest: digest, AccountID: accountID, ExpiresAt: now.Add(RecoveryLifetime)}
}

// Live reports whether the link may still be used.
func (r Recovery) Live(now time.Time) bool { return now.Before(r.ExpiresAt) }
