package account

import (
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"time"
)

// Rate is a bucket of Burst attempts that gains one back each Every, kept as one
// moment per key: when the bucket will be full again (the "theoretical arrival
// time" of the generic cell rate algorithm, ITU-T I.371). The zero moment is a full
// bucket.
type Rate struct {
	Burst int
	Every time.Duration
}

// ClockFault is how far beyond its span a bucket may claim to be from full. What
// claims more was written under a wrong clock and counts as full, or it would keep
// someone out for as long as that clock was ahead. It is far more than the clocks of
// replicas may differ, so that two of them cannot take turns in filling a bucket.
const ClockFault = time.Hour

// Span is how long an emptied bucket takes to be full again.
func (r Rate) Span() time.Duration { return time.Duration(r.Burst) * r.Every }

// Take takes one attempt at now from a bucket that is full at fullAt. The attempt
// is admitted when wait is zero; else it is refused, uses nothing up, and would be
// admitted after wait. With from being now, or fullAt if that is after now and not
// after now + Span + [ClockFault], it is one conditional statement: set fullAt to
// from + Every, if that is not after now + Span.
func (r Rate) Take(fullAt, now time.Time) (newFullAt time.Time, wait time.Duration) {
	from := now
	if fullAt.After(now) && !fullAt.After(now.Add(r.Span()+ClockFault)) {
		from = fullAt
	}
	next := from.Add(r.Every)
	if wait = next.Sub(now) - r.Span(); wait > 0 {
		return fullAt, wait
	}
	return next, 0
}

// ThrottleKind is a reason for which attempts are counted.
//
// A sign-in takes from two buckets: [SignInByAddress], and [SignInByDevice] when
// the browser proves that it has signed in to this account before, else
// [SignInByAccount]. So a stranger who guesses at an account uses up the
// strangers' bucket and never keeps the owner's own browser out, and no account is
// ever locked. Buckets of an account are keyed by [EmailKey] and not by its id, so
// that an address without an account is slowed in the same way.
type ThrottleKind string

const (
	SignInByAddress   ThrottleKind = "sign-in address"
	SignInByAccount   ThrottleKind = "sign-in account"
	SignInByDevice    ThrottleKind = "sign-in device"
	RecoveryByAccount ThrottleKind = "recovery account"
	SignUpByAddress   ThrottleKind = "sign-up address"
	// Guesses at the code that a device shows.
	UserCodeByAccount ThrottleKind = "user code account"
	UserCodeByAddress ThrottleKind = "user code address"
	// RegistrationByAddress is of applications that register themselves without a token.
	RegistrationByAddress ThrottleKind = "registration address"
)

// Rate is how many attempts of the kind are admitted. A kind without a rule admits
// none.
func (k ThrottleKind) Rate() Rate {
	switch k {
	case SignInByAddress:
		return Rate{Burst: 50, Every: 30 * time.Second}
	case SignInByAccount, SignInByDevice:
		return Rate{Burst: 25, Every: 15 * time.Second}
	case RecoveryByAccount:
		return Rate{Burst: 3, Every: 20 * time.Minute}
	case UserCodeByAccount:
		return Rate{Burst: 10, Every: time.Minute}
	case UserCodeByAddress:
		return Rate{Burst: 30, Every: 20 * time.Second}
	case SignUpByAddress, RegistrationByAddress:
		return Rate{Burst: 10, Every: 6 * time.Minute}
	default:
		return Rate{Every: time.Hour}
	}
}

// ThrottleKey is under which key attempts of the kind are counted for the values
// together, such as an e-mail key and a device. It is a digest so that the table of
// throttles names nobody.
func ThrottleKey(kind ThrottleKind, values ...string) [32]byte {
	text := appendField(nil, string(kind))
	for _, v := range values {
		text = appendField(text, v)
	}
	return sha256.Sum256(text)
}

// appendField writes the length first, so that no two lists of values read alike.
func appendField(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// AddressThrottleKey is under which key attempts of the kind are counted for who
// comes from address. Whoever has one IPv6 address has the 2^64 of its network, so
// the network is counted; an IPv4 address counts as one however it is spelled.
func AddressThrottleKey(kind ThrottleKind, address netip.Addr) [32]byte {
	address = address.Unmap()
	bits := 64
	if address.Is4() {
		bits = 32
	}
	network, err := address.Prefix(bits)
	if err != nil {
		return ThrottleKey(kind, "") // no address: all such callers are counted as one
	}
	return ThrottleKey(kind, network.String())
}
