package store

import (
	"crypto/rand"
	"encoding/binary"
	"sync"
	"time"
)

// idEpoch is the zero of ids' time.
var idEpoch = time.Date(2024, time.January, 1, 0, 0, 0, 0, time.UTC)

const idRandomBits = 21

// ids makes ids: milliseconds, then random bits. Ascending, so that B-trees grow at
// their end; random, so that a database restored from a backup does not give an id
// again that sealed tokens still name.
type ids struct {
	mu   sync.Mutex
	last int64
}

// next makes an id. Within a millisecond each is greater than the one before: two
// that are equal would be an error to somebody, and events keep their order.
func (s *ids) next(now time.Time) int64 {
	var b [4]byte
	rand.Read(b[:])
	first := firstID(now)
	id := first | int64(binary.BigEndian.Uint32(b[:])>>(32-idRandomBits))
	s.mu.Lock()
	defer s.mu.Unlock()
	// Many ids of one millisecond may run on into the next ones.
	if first <= s.last && s.last-first < idRunOn {
		id = s.last + 1
	}
	s.last = id
	return id
}

// idRunOn is how far ids may run ahead of the clock: a minute.
const idRunOn = 60_000 << idRandomBits

// firstID is the smallest id that is made at t.
func firstID(t time.Time) int64 {
	return max(0, t.Sub(idEpoch).Milliseconds()) << idRandomBits
}
