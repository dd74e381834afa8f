package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/keyring"
	"gatelodge/internal/registry"
	"gatelodge/internal/sqldb"
)

// SealingKey is a key of package seal as it is kept: its secret is sealed in the
// column.
type SealingKey struct {
	ID         uint8
	Secret     [32]byte
	CreatedAt  time.Time
	UsableFrom time.Time
}

// Identity is what a database is, for good: made at the first start.
type Identity struct {
	// Namespace is the first part of all identifiers.
	Namespace string
	// SubjectKey is the key of user ids. It is never rotated.
	SubjectKey []byte
	// Issuer is the public base URL that the server last ran under, "" before its
	// first start.
	Issuer string
}

// ErrNotSetUp: the database has no identity yet.
var ErrNotSetUp = errors.New("store: the database has not been set up")

// WrongKeyError says that the key file is not this database's.
type WrongKeyError struct{ Database string }

func (e *WrongKeyError) Error() string {
	return "the key file is not this database's: it lacks the key " + e.Database
}

// WrongNamespaceError says that the setting differs from the database.
type WrongNamespaceError struct{ Database, Setting string }

func (e *WrongNamespaceError) Error() string {
	return fmt.Sprintf("the database's identifiers begin with %q, the setting says %q: it cannot be changed", e.Database, e.Setting)
}

const (
	metaNamespace   = "namespace"
	metaSubjectKey  = "subject_key"
	metaFingerprint = "key_fingerprint"
	metaIssuer      = "issuer"
)

var subjectKeyPlace = keyring.Place{Table: "meta", Column: "value", Row: []byte(metaSubjectKey)}

// Identify makes the database's identity at the first start and checks it at
// every other: a wrong key file or namespace is refused before anything is read
// or written with it. An empty namespace takes the database's, or answers
// ErrNotSetUp. Built-in scopes that the database does not have yet are added.
func (s *Store) Identify(ctx context.Context, namespace string, now time.Time) (Identity, error) {
	id, err := s.identity(ctx, namespace)
	if errors.Is(err, ErrNotSetUp) && namespace != "" {
		if err := s.establish(ctx, namespace, now); err != nil {
			return Identity{}, err
		}
		id, err = s.identity(ctx, namespace)
	}
	if err != nil {
		return Identity{}, err
	}
	return id, s.ensureScopes(ctx, registry.BuiltIn())
}

func (s *Store) identity(ctx context.Context, namespace string) (Identity, error) {
	values := map[string][]byte{}
	rows, err := s.db.Query(ctx, `SELECT name, value FROM meta`)
	if err != nil {
		return Identity{}, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var value []byte
		if err := rows.Scan(&name, &value); err != nil {
			return Identity{}, err
		}
		values[name] = value
	}
	if err := rows.Err(); err != nil {
		return Identity{}, err
	}
	if values[metaFingerprint] == nil {
		return Identity{}, ErrNotSetUp
	}
	if fp := string(values[metaFingerprint]); !slices.Contains(s.ring.Fingerprints(), fp) {
		return Identity{}, &WrongKeyError{fp}
	}
	if ns := string(values[metaNamespace]); namespace != "" && namespace != ns {
		return Identity{}, &WrongNamespaceError{Database: ns, Setting: namespace}
	}
	key, err := s.ring.Open(subjectKeyPlace, values[metaSubjectKey])
	if err != nil {
		return Identity{}, fmt.Errorf("store: open the key of user ids: %w", err)
	}
	return Identity{Namespace: string(values[metaNamespace]), SubjectKey: key, Issuer: string(values[metaIssuer])}, nil
}

// RememberIssuer keeps the base URL that the server runs under, for commands that
// make tokens and links.
func (s *Store) RememberIssuer(ctx context.Context, issuer string) error {
	return s.write(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.Exec(ctx, `INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = $2 WHERE meta.value <> $2`, metaIssuer, []byte(issuer))
		return err
	})
}

// establish writes the identity unless another process was first.
func (s *Store) establish(ctx context.Context, namespace string, now time.Time) error {
	subjectKey := make([]byte, 32)
	rand.Read(subjectKey)
	sealed, err := s.ring.Seal(subjectKeyPlace, subjectKey)
	if err != nil {
		return err
	}
	epoch := make([]byte, 16)
	rand.Read(epoch)
	return s.write(ctx, func(ctx context.Context, t *tx) error {
		n, err := t.Exec(ctx, `INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING`, metaFingerprint, []byte(s.ring.Fingerprints()[0]))
		if err != nil || n == 0 {
			return err
		}
		if _, err := t.Exec(ctx, `INSERT INTO meta (name, value) VALUES ($1, $2), ($3, $4)`,
			metaNamespace, []byte(namespace), metaSubjectKey, sealed); err != nil {
			return err
		}
		if _, err := t.Exec(ctx, `INSERT INTO feed (id, epoch, newest) VALUES (1, $1, 0)`, epoch); err != nil {
			return err
		}
		return s.insertSealingKey(ctx, t, 1, now, now)
	})
}

func sealingKeyPlace(id uint8) keyring.Place {
	return keyring.Place{Table: "sealing_keys", Column: "secret", Row: []byte{id}}
}

func (s *Store) insertSealingKey(ctx context.Context, t *tx, id uint8, now, from time.Time) error {
	secret := make([]byte, 32)
	rand.Read(secret)
	sealed, err := s.ring.Seal(sealingKeyPlace(id), secret)
	if err != nil {
		return err
	}
	t.changed(KeysChanged, int64(id))
	_, err = t.Exec(ctx, `INSERT INTO sealing_keys (id, secret, created_at, usable_from) VALUES ($1, $2, $3, $4)`,
		int64(id), sealed, micros(now), micros(from))
	return err
}

// SealingKeys reads all keys, oldest first. None is ever deleted: refresh tokens
// do not end.
func (s *Store) SealingKeys(ctx context.Context) ([]SealingKey, error) {
	rows, err := s.db.Query(ctx, `SELECT id, secret, created_at, usable_from FROM sealing_keys ORDER BY id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var keys []SealingKey
	for rows.Next() {
		var id, created, from int64
		var sealed []byte
		if err := rows.Scan(&id, &sealed, &created, &from); err != nil {
			return nil, err
		}
		k := SealingKey{ID: uint8(id), CreatedAt: fromMicros(created), UsableFrom: fromMicros(from)}
		secret, err := s.ring.Open(sealingKeyPlace(k.ID), sealed)
		if err != nil {
			return nil, fmt.Errorf("store: sealing key %d: %w", id, err)
		}
		if err := fixed(k.Secret[:], secret, "sealing_keys.secret"); err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, rows.Err()
}

// RotateSealingKey publishes a new key that is used from `from` on, by when every
// replica has it.
func (s *Store) RotateSealingKey(ctx context.Context, from time.Time, by audit.By) (id uint8, err error) {
	err = s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		var newest int64
		if err := t.QueryRow(ctx, `SELECT MAX(id) FROM sealing_keys`).Scan(&newest); err != nil {
			return err
		}
		if newest >= 255 {
			return fmt.Errorf("%w: 255 sealing keys", ErrTooMany)
		}
		id = uint8(newest) + 1
		if err := s.insertSealingKey(ctx, t, id, by.At, from); err != nil {
			return err
		}
		return t.event(ctx, by, audit.Event{Kind: audit.KeyRotated, Detail: fmt.Sprintf("sealing key %d", id)})
	})
	return id, err
}

// Reseal seals every sealed column with the newest key-encryption key, in batches.
// It says how many values it changed.
func (s *Store) Reseal(ctx context.Context, by audit.By) (int, error) {
	count := 0
	err := s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		count = 0
		var sealed []byte
		if err := t.QueryRow(ctx, `SELECT value FROM meta WHERE name = $1`, metaSubjectKey).Scan(&sealed); err != nil {
			return err
		}
		if s.ring.NeedsReseal(sealed) {
			fresh, err := s.reseal(subjectKeyPlace, sealed)
			if err != nil {
				return err
			}
			if _, err := t.Exec(ctx, `UPDATE meta SET value = $1 WHERE name = $2`, fresh, metaSubjectKey); err != nil {
				return err
			}
			count++
		}
		if _, err := t.Exec(ctx, `UPDATE meta SET value = $1 WHERE name = $2`, []byte(s.ring.Fingerprints()[0]), metaFingerprint); err != nil {
			return err
		}
		n, err := s.resealRows(ctx, t, `SELECT id, secret FROM sealing_keys ORDER BY id`, `UPDATE sealing_keys SET secret = $1 WHERE id = $2`,
			func(id int64) keyring.Place { return sealingKeyPlace(uint8(id)) })
		count += n
		if err != nil {
			return err
		}
		n, err = s.resealSigningKeys(ctx, t)
		count += n
		if err != nil {
			return err
		}
		// Servers read the keys again, and with them the key file: from then on
		// they seal with the new key too.
		t.changed(KeysChanged, 0)
		return t.event(ctx, by, audit.Event{Kind: audit.KeyRotated, Detail: "key-encryption key"})
	})
	if err != nil {
		return count, err
	}
	const batch = 500
	for after := int64(0); ; {
		var n int
		var last int64
		err := s.write(ctx, func(ctx context.Context, t *tx) error {
			last = after
			if err := t.QueryRow(ctx, `SELECT COALESCE(MAX(id), $1) FROM (SELECT id FROM secrets WHERE id > $1 ORDER BY id LIMIT $2) AS page`, after, batch).Scan(&last); err != nil {
				return err
			}
			var err error
			n, err = s.resealRows(ctx, t, `SELECT id, sealed FROM secrets WHERE id > $1 AND id <= $2 ORDER BY id`, `UPDATE secrets SET sealed = $1 WHERE id = $2`, secretPlace, after, last)
			return err
		})
		count += n
		if err != nil || last == after {
			return count, err
		}
		after = last
	}
}

func (s *Store) reseal(at keyring.Place, sealed []byte) ([]byte, error) {
	plain, err := s.ring.Open(at, sealed)
	if err != nil {
		return nil, err
	}
	return s.ring.Seal(at, plain)
}

func (s *Store) resealRows(ctx context.Context, t *tx, query, update string, place func(int64) keyring.Place, args ...any) (int, error) {
	type row struct {
		id     int64
		sealed []byte
	}
	all, err := collect(ctx, t.Tx, query, args, func(rows scanner) (row, error) {
		var r row
		err := rows.Scan(&r.id, &r.sealed)
		return r, err
	})
	if err != nil {
		return 0, err
	}
	n := 0
	for _, r := range all {
		if !s.ring.NeedsReseal(r.sealed) {
			continue
		}
		fresh, err := s.reseal(place(r.id), r.sealed)
		if err != nil {
			return n, err
		}
		if _, err := t.Exec(ctx, update, fresh, r.id); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

type scanner interface{ Scan(...any) error }

// scanOne reads a row of one column.
func scanOne[T any](row scanner) (T, error) {
	var v T
	err := row.Scan(&v)
	return v, err
}

// collect reads all rows of a query in a transaction.
func collect[T any](ctx context.Context, t *sqldb.Tx, query string, args []any, scan func(scanner) (T, error)) ([]T, error) {
	rows, err := t.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}
