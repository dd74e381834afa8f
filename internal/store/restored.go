package store

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/sqldb"
)

// metaRestored is when the database was last put back to an older state.
const metaRestored = "restored_at"

// Restored makes a database that was put back to an older state safe to serve from,
// in one transaction:
//
//   - The feed begins a new epoch, so that whoever followed it forgets everything.
//   - Sessions, recovery links, requests of devices and pushed requests end: the
//     backup does not know which of them were ended or used since.
//   - The time is kept: codes and client assertions from before it are not taken any
//     more ([Store.RestoredAt]), as nobody knows which were.
//
// What lasts (consents, accounts, secrets) is as it was then; only people can say
// what has to be ended again. [Store.EndedSince] tells them what the database that
// was replaced knew.
func (s *Store) Restored(ctx context.Context, by audit.By) error {
	epoch := make([]byte, 16)
	rand.Read(epoch)
	return s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		if _, err := t.Exec(ctx, `UPDATE feed SET epoch = $1 WHERE id = 1`, epoch); err != nil {
			return err
		}
		for _, table := range []string{"session_clients", "sessions", "recoveries", "device_pairs", "pushed_requests"} {
			if _, err := t.Exec(ctx, `DELETE FROM `+table); err != nil {
				return fmt.Errorf("store: end %s: %w", table, err)
			}
		}
		at := binary.BigEndian.AppendUint64(nil, uint64(micros(by.At)))
		if _, err := t.Exec(ctx, `INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = $2`, metaRestored, at); err != nil {
			return err
		}
		t.changed(KeysChanged, 0)
		return t.event(ctx, by, audit.Event{Kind: audit.Restored})
	})
}

// RestoredAt is when the database was last put back to an older state, the zero time
// if it never was.
func (s *Store) RestoredAt(ctx context.Context) (time.Time, error) {
	value, err := scanOne[[]byte](s.db.QueryRow(ctx, `SELECT value FROM meta WHERE name = $1`, metaRestored))
	switch {
	case errors.Is(err, sqldb.ErrNoRows):
		return time.Time{}, nil
	case err != nil:
		return time.Time{}, err
	case len(value) != 8:
		return time.Time{}, fmt.Errorf("store: meta.%s has %d bytes, want 8", metaRestored, len(value))
	}
	return fromMicros(int64(binary.BigEndian.Uint64(value))), nil
}

// Ending counts the events of a kind, with the newest of them.
type Ending struct {
	Kind  audit.Kind
	Count int64
	Last  time.Time
}

// endings are the kinds of event that a database put back to an older state undoes
// to somebody's harm.
var endings = []audit.Kind{
	audit.GrantRemoved, audit.FamilyEnded, audit.TokenReused, audit.AccountDisabled, audit.AccountDeleted, audit.PasswordChanged, audit.PasswordRecovered,
	audit.ProfileSuspended, audit.ProfileDeleted, audit.SecretEnded, audit.DeviceRemoved, audit.ScopeRetired, audit.ScopesWithdrawn,
	audit.OperatorRemoved, audit.InitialTokenRevoked,
}

// EndedSince counts what was ended after a moment.
func (s *Store) EndedSince(ctx context.Context, moment time.Time) ([]Ending, error) {
	var all []Ending
	for _, kind := range endings {
		e := Ending{Kind: kind}
		var last int64
		err := s.db.QueryRow(ctx, `SELECT COUNT(*), COALESCE(MAX(at), 0) FROM events WHERE id > $1 AND kind = $2 AND at > $3`, firstID(moment)-1, string(kind), micros(moment)).Scan(&e.Count, &last)
		if err != nil {
			return nil, err
		}
		if e.Last = fromMicros(last); e.Count > 0 {
			all = append(all, e)
		}
	}
	return all, nil
}
