package signing

import "time"

const (
	// RotateAfter is how long a key signs before the next one takes over.
	RotateAfter = 90 * 24 * time.Hour
	// PublishAhead is how long a key is in the JWKS before it signs. Whoever keeps
	// a copy of the JWKS for less always has the key in time.
	PublishAhead = 24 * time.Hour
	// MaxLifetime is the longest that anything signed here may live: ID tokens,
	// JWT access tokens, logout tokens.
	MaxLifetime = time.Hour
	// Retention is how long a key stays in the JWKS after its last signature: as
	// long as a signed value may live, by clocks of which one is late and the
	// other early.
	Retention = MaxLifetime + 2*skew
)

// skew is how far the clock of a replica or of a client may be off.
const skew = 30 * time.Second

// Due reports whether a key of the algorithm has to be made now, so that it can be
// published ahead of its use.
func Due(alg Algorithm, keys []Key, now time.Time) bool {
	newest, ok := newestOf(alg, keys, now)
	return !ok || !now.Before(newest.UsableFrom.Add(RotateAfter-PublishAhead))
}

// Next makes the key that follows the given ones. The first of its algorithm signs
// at once: there is nothing that could sign until then.
func Next(alg Algorithm, keys []Key, now time.Time) (Key, error) {
	usableFrom := now
	if _, ok := newestOf(alg, keys, now); ok {
		usableFrom = now.Add(PublishAhead)
	}
	return Generate(alg, now, usableFrom)
}

func newestOf(alg Algorithm, keys []Key, now time.Time) (newest Key, ok bool) {
	for _, k := range keys {
		if k.Algorithm == alg && !k.retired(now) && (!ok || k.UsableFrom.After(newest.UsableFrom)) {
			newest, ok = k, true
		}
	}
	return newest, ok
}

func (k Key) retired(now time.Time) bool {
	return !k.RetiredAt.IsZero() && !now.Before(k.RetiredAt)
}
