package account

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/crypto/argon2"
)

// ErrBusy: more passwords are waiting to be hashed than the server will queue. The
// caller answers "try again in a moment" instead of letting a flood of sign-ins pile
// up.
var ErrBusy = errors.New("account: too many passwords are being checked")

// Cost is what one evaluation of argon2id takes (RFC 9106 section 3.1).
type Cost struct {
	MemoryKiB uint32
	Passes    uint32
	Threads   uint8
}

// DefaultCost is OWASP's first choice for argon2id where memory is dear: 19 MiB, two
// passes, one thread.
func DefaultCost() Cost { return Cost{MemoryKiB: 19 * 1024, Passes: 2, Threads: 1} }

const (
	saltBytes = 16 // RFC 9106 section 3.1: 128 bits suffice for all applications
	keyBytes  = 32

	defaultWaiting = 64
)

// defaultConcurrent is half the cores, and at least one: tokens, which take a
// thousandth of the time, always find the other half free.
func defaultConcurrent() int { return max(1, runtime.GOMAXPROCS(0)/2) }

// HasherOptions are the settings of a [Hasher]; each zero value is a sensible choice.
type HasherOptions struct {
	Cost       Cost // of new hashes
	Concurrent int  // evaluations at the same time: bounds memory and cores
	Waiting    int  // callers that may wait for their turn; more get ErrBusy
	// Evaluated, when set, is called after each evaluation, which leaves Cost.MemoryKiB
	// to the garbage collector.
	Evaluated func()
}

// Hasher hashes and verifies passwords with argon2id, only so many at a time.
type Hasher struct {
	cost      Cost
	dummy     passwordHash
	evaluated func()
	turns     chan struct{} // one element for each evaluation under way
	callers   chan struct{} // one element for each caller, waiting or served
}

// NewHasher makes a hasher.
func NewHasher(o HasherOptions) *Hasher {
	if o.Cost == (Cost{}) {
		o.Cost = DefaultCost()
	}
	if o.Concurrent <= 0 {
		o.Concurrent = defaultConcurrent()
	}
	if o.Waiting <= 0 {
		o.Waiting = defaultWaiting
	}
	if o.Evaluated == nil {
		o.Evaluated = func() {}
	}
	return &Hasher{
		cost:      o.Cost,
		evaluated: o.Evaluated,
		dummy: passwordHash{
			cost: o.Cost,
			salt: make([]byte, saltBytes),
			key:  make([]byte, keyBytes),
		},
		turns:   make(chan struct{}, o.Concurrent),
		callers: make(chan struct{}, o.Concurrent+o.Waiting),
	}
}

// Load tells how many passwords are being evaluated, and how many callers wait.
func (h *Hasher) Load() (running, waiting int) {
	running = len(h.turns)
	return running, max(0, len(h.callers)-running)
}

// Hash makes the value to keep for password, in PHC string format.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	p := passwordHash{cost: h.cost, salt: make([]byte, saltBytes)}
	rand.Read(p.salt) // never fails: crypto/rand ends the program instead
	key, err := h.evaluate(ctx, p, password, keyBytes)
	if err != nil {
		return "", err
	}
	p.key = key
	return p.String(), nil
}

// Verify reports whether encoded was made from password. It evaluates exactly once
// on every path, also when there is nothing to compare with: encoded is empty where
// no account has the e-mail address, and the answer, which is then false, must not
// come sooner than another.
func (h *Hasher) Verify(ctx context.Context, encoded, password string) (bool, error) {
	if encoded == "" {
		_, err := h.evaluate(ctx, h.dummy, password, keyBytes)
		return false, err
	}
	p, parseErr := parsePasswordHash(encoded)
	if parseErr != nil {
		p = h.dummy
	}
	key, err := h.evaluate(ctx, p, password, uint32(len(p.key)))
	if err := errors.Join(parseErr, err); err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(key, p.key) == 1, nil
}

// Outdated reports whether encoded should be replaced by a new hash when the
// password is next known, because it was made at another cost.
func (h *Hasher) Outdated(encoded string) bool {
	p, err := parsePasswordHash(encoded)
	return err != nil || p.cost != h.cost || len(p.salt) < saltBytes || len(p.key) < keyBytes
}

// evaluate waits for its turn and runs argon2id once.
func (h *Hasher) evaluate(ctx context.Context, p passwordHash, password string, size uint32) ([]byte, error) {
	select {
	case h.callers <- struct{}{}:
		defer func() { <-h.callers }()
	default:
		return nil, ErrBusy
	}
	select {
	case h.turns <- struct{}{}:
		defer func() { <-h.turns }()
	case <-ctx.Done():
		return nil, fmt.Errorf("account: waiting to check a password: %w", context.Cause(ctx))
	}
	// A free turn and a caller who has gone can be ready together.
	if ctx.Err() != nil {
		return nil, fmt.Errorf("account: waiting to check a password: %w", context.Cause(ctx))
	}
	defer h.evaluated()
	return argon2.IDKey([]byte(password), p.salt, p.cost.Passes, p.cost.MemoryKiB, p.cost.Threads, size), nil
}
