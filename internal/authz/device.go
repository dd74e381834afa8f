package authz

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"gatelodge/internal/oauth"
)

// OwnDevice in [Extra.Device] is the profile's own client, which has used the device
// grant without a secret: it refreshes without one as well.
const OwnDevice = -1

// Times of the device grant.
const (
	// DeviceLifetime is how long a user has (RFC 8628 section 3.2, expires_in).
	DeviceLifetime = 10 * time.Minute
	// DeviceRetention is how long a pair is kept after that, so that a device that
	// sleeps for long still hears that its code is over, and not that it never was.
	DeviceRetention = time.Hour
	// SlowDownStep is what each hasty poll adds to the interval (RFC 8628 section 3.5).
	SlowDownStep = 5 * time.Second
	// MaxPollInterval bounds it: official clients wait no longer
	// (login-with-amazon.md section 9).
	MaxPollInterval = 60 * time.Second
	// PollGrace is by how much a poll may come early: networks do not keep step.
	PollGrace = time.Second
)

// PollInterval is how long devices of a dialect are told to wait between polls.
func PollInterval(d oauth.Dialect) time.Duration {
	if d == oauth.Standard {
		return 5 * time.Second
	}
	return 30 * time.Second
}

// DeviceState is how far a pair has come.
type DeviceState uint8

const (
	DevicePending DeviceState = iota
	DeviceAllowed
	DeviceDenied
	DeviceRedeemed
)

// DevicePair is a device's request that waits for its user. Its two codes are known
// by their digests alone.
type DevicePair struct {
	DeviceCode, UserCode [32]byte
	ProfileID            int64
	// Device is as in [Extra.Device].
	Device               int64
	Dialect              oauth.Dialect
	Essential, Voluntary oauth.ScopeSet
	State                DeviceState
	// GrantID, Scopes and AuthenticatedAt are what the user's answer gave.
	GrantID         int64
	Scopes          oauth.ScopeSet
	AuthenticatedAt time.Time
	// Interval grows with hasty polls.
	Interval  time.Duration
	ExpiresAt time.Time
}

// Requested is all that the device asks for.
func (p DevicePair) Requested() oauth.ScopeSet { return p.Essential.Union(p.Voluntary) }

// Expired reports whether the pair's time is over.
func (p DevicePair) Expired(now time.Time) bool { return !now.Before(p.ExpiresAt) }

// Family is that of the tokens that the pair gives.
func (p DevicePair) Family() Family { return Family(p.DeviceCode[:len(Family{})]) }

// HasUserCode compares a user code in constant time.
func (p DevicePair) HasUserCode(c UserCode) bool {
	digest := c.Digest()
	return subtle.ConstantTimeCompare(digest[:], p.UserCode[:]) == 1
}

// NewDeviceCode makes the secret of a device: a UUID (RFC 9562 section 5.4), as
// clients of Login with Amazon expect (login-with-amazon.md section 9).
func NewDeviceCode() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// DigestDeviceCode is under which digest a device code is kept.
func DigestDeviceCode(code string) [32]byte { return sha256.Sum256([]byte("device code " + code)) }

// UserCode is what a person carries from a device to another screen, without anything
// between its letters. It has no vowels, so that no words come out, and nothing that
// looks like another of its characters (RFC 8628 section 6.1).
type UserCode string

const (
	userLetters = "BCDFGHJKLMNPQRSTVWXZ"
	// Six characters are all that Login with Amazon has; digits make up for it a little.
	amazonCharacters = userLetters + "3479"

	standardChars = 8
	amazonChars   = 6
)

// NewUserCode makes a code of a dialect: 34 bits, or the 27 bits that fit into Login
// with Amazon's. It lives ten minutes, and guesses are counted (RFC 8628 section 5.1).
func NewUserCode(d oauth.Dialect) UserCode {
	alphabet, n := amazonCharacters, amazonChars
	if d == oauth.Standard {
		alphabet, n = userLetters, standardChars
	}
	code := make([]byte, 0, n)
	for len(code) < n {
		var b [1]byte
		rand.Read(b[:])
		// 5 bits, thrown again where the alphabet ends, so that all are as likely.
		if i := int(b[0] & 0x1f); i < len(alphabet) {
			code = append(code, alphabet[i])
		}
	}
	return UserCode(code)
}

// ErrUserCode says that a text cannot be a user code.
var ErrUserCode = errors.New("authz: not a user code")

// lookAlikes are what people read for a character of a code.
var lookAlikes = strings.NewReplacer("1", "L", "I", "L", "2", "Z", "5", "S", "6", "G", "8", "B", "0", "Q", "O", "Q", "U", "V")

// ParseUserCode reads what a person typed: in any case, with anything between the
// letters, and with look-alikes put right.
func ParseUserCode(s string) (UserCode, error) {
	code := strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return unicode.ToUpper(r)
	}, s)
	code = lookAlikes.Replace(code)
	alphabet := userLetters
	switch len(code) {
	case standardChars:
	case amazonChars:
		alphabet = amazonCharacters
	default:
		return "", ErrUserCode
	}
	if strings.Trim(code, alphabet) != "" {
		return "", ErrUserCode
	}
	return UserCode(code), nil
}

// Digest is under which digest the code is kept.
func (c UserCode) Digest() [32]byte { return sha256.Sum256([]byte("user code " + string(c))) }

// String is the code as devices and pages show it.
func (c UserCode) String() string {
	if len(c) == standardChars {
		return string(c[:4] + "-" + c[4:])
	}
	return string(c)
}
