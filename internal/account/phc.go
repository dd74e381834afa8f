package account

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// passwordHash is a stored password: what argon2id was run with, and its outcome.
type passwordHash struct {
	cost Cost
	salt []byte
	key  []byte
}

// The bounds within which a stored hash is believed. Who could write to the database,
// or restore a crafted backup, must not be able to make a sign-in take gigabytes or
// minutes. There is room for a tenfold dearer cost than ours.
const (
	maxMemoryKiB = 256 * 1024
	maxPasses    = 16
	maxThreads   = 4
	minSaltBytes = 8  // RFC 9106 section 3.1
	minKeyBytes  = 16 // shorter keys can be met by chance; RFC 9106 allows 4
	maxPartBytes = 64
)

// errPasswordHash tells nothing of the value: it is a secret of a kind.
var errPasswordHash = errors.New("account: stored password hash is malformed or out of bounds")

// String is the hash in PHC string format:
//
//	$argon2id$v=19$m=19456,t=2,p=1$<salt>$<key>
func (p passwordHash) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		p.cost.MemoryKiB, p.cost.Passes, p.cost.Threads,
		base64.RawStdEncoding.EncodeToString(p.salt), base64.RawStdEncoding.EncodeToString(p.key))
}

func parsePasswordHash(encoded string) (passwordHash, error) {
	// 256 characters hold the longest values within the bounds.
	if len(encoded) > 256 {
		return passwordHash{}, errPasswordHash
	}
	fields := strings.Split(encoded, "$")
	if len(fields) != 6 {
		return passwordHash{}, errPasswordHash
	}
	cost, ok := parseCost(fields[3])
	if !ok {
		return passwordHash{}, errPasswordHash
	}
	salt, errSalt := base64.RawStdEncoding.DecodeString(fields[4])
	key, errKey := base64.RawStdEncoding.DecodeString(fields[5])
	p := passwordHash{cost: cost, salt: salt, key: key}
	if errSalt != nil || errKey != nil ||
		len(p.salt) < minSaltBytes || len(p.salt) > maxPartBytes ||
		len(p.key) < minKeyBytes || len(p.key) > maxPartBytes {
		return passwordHash{}, errPasswordHash
	}
	// Algorithm and version are compared here, and with them every other spelling
	// (leading zeros, signs, line breaks within the base64) is refused.
	if p.String() != encoded {
		return passwordHash{}, errPasswordHash
	}
	return p, nil
}

func parseCost(s string) (Cost, bool) {
	parts := strings.Split(s, ",")
	if len(parts) != 3 {
		return Cost{}, false
	}
	number := func(part, prefix string, least, most uint64) (uint64, bool) {
		digits, ok := strings.CutPrefix(part, prefix)
		n, err := strconv.ParseUint(digits, 10, 32)
		return n, ok && err == nil && n >= least && n <= most
	}
	threads, okThreads := number(parts[2], "p=", 1, maxThreads)
	passes, okPasses := number(parts[1], "t=", 1, maxPasses)
	// RFC 9106 section 3.1: at least 8 KiB for each thread.
	memory, okMemory := number(parts[0], "m=", 8*threads, maxMemoryKiB)
	return Cost{MemoryKiB: uint32(memory), Passes: uint32(passes), Threads: uint8(threads)},
		okThreads && okPasses && okMemory
}
