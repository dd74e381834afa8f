package store

import (
	"context"
	"fmt"
	"time"
)

// inFeed are the columns, epoch and newest, that tell the place in the feed.
const inFeed = `(SELECT epoch, newest FROM feed WHERE id = 1) AS place`

// load runs one statement for the live view. It sees one state of the database, and
// reads inFeed with its rows: a transaction would say no more, for more calls. scan gets
// each row with where epoch and newest go, which all rows but the first may leave NULL.
// Without a row the answer is ErrNotFound.
func (s *Store) load(ctx context.Context, query string, args []any, scan func(row scanner, place ...any) error) (at Cursor, err error) {
	rows, err := s.db.Load(ctx, query, args...)
	if err != nil {
		return at, err
	}
	defer rows.Close()
	var epoch []byte
	var newest number
	for rows.Next() {
		if err := scan(rows, &epoch, &newest); err != nil {
			return at, err
		}
		if epoch != nil {
			at = Cursor{string(epoch), int64(newest)}
		}
	}
	if err := rows.Err(); err != nil {
		return at, err
	}
	if at.Epoch == "" {
		return at, ErrNotFound
	}
	return at, nil
}

// number, small and words are columns that are NULL where a row of a load has none.
type (
	number int64
	small  uint8
	words  string
)

func (n number) time() time.Time { return fromMicros(int64(n)) }

// Scan implements [sql.Scanner].
func (n *number) Scan(src any) error {
	switch v := src.(type) {
	case int64:
		*n = number(v)
	case nil:
		*n = 0
	default:
		return fmt.Errorf("store: %T where a number belongs", src)
	}
	return nil
}

// Scan implements [sql.Scanner].
func (n *small) Scan(src any) error {
	var wide number
	if err := wide.Scan(src); err != nil {
		return err
	}
	if *n = small(wide); number(*n) != wide {
		return fmt.Errorf("store: %d where a small number belongs", wide)
	}
	return nil
}

// Scan implements [sql.Scanner].
func (w *words) Scan(src any) error {
	switch v := src.(type) {
	case string:
		*w = words(v)
	case nil:
		*w = ""
	default:
		return fmt.Errorf("store: %T where text belongs", src)
	}
	return nil
}
