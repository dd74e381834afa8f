package store

import (
	"context"
	"errors"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/authz"
	"gatelodge/internal/oauth"
	"gatelodge/internal/sqldb"
)

const pairColumns = `device_code, user_code, profile_id, device, dialect, essential, voluntary, state, grant_given, scopes, authenticated_at, poll_interval, expires_at`

func scanPair(row scanner) (authz.DevicePair, error) {
	var p authz.DevicePair
	var deviceCode, userCode, essential, voluntary, scopes []byte
	var authenticated, interval, expires int64
	err := row.Scan(&deviceCode, &userCode, &p.ProfileID, &p.Device, &p.Dialect, &essential, &voluntary, &p.State,
		&p.GrantID, &scopes, &authenticated, &interval, &expires)
	if err != nil {
		return p, notFound(err)
	}
	for set, column := range map[*oauth.ScopeSet][]byte{&p.Essential: essential, &p.Voluntary: voluntary, &p.Scopes: scopes} {
		if *set, err = oauth.ParseScopeSet(column); err != nil {
			return p, err
		}
	}
	p.AuthenticatedAt, p.ExpiresAt = fromMicros(authenticated), fromMicros(expires)
	p.Interval = time.Duration(interval) * time.Microsecond
	return p, errors.Join(fixed(p.DeviceCode[:], deviceCode, "device_pairs.device_code"), fixed(p.UserCode[:], userCode, "device_pairs.user_code"))
}

// ErrCodeTaken: another device has this code just now.
var ErrCodeTaken = errors.New("store: code is taken")

// CreateDevicePair keeps a device's request for the time that its user has.
func (s *Store) CreateDevicePair(ctx context.Context, p authz.DevicePair, now time.Time) error {
	return s.write(ctx, func(ctx context.Context, t *tx) error {
		rows, err := t.Exec(ctx, `INSERT INTO device_pairs (`+pairColumns+`, attempt, polled_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, $8, 0, $9, $10, $8, 0) ON CONFLICT DO NOTHING`,
			p.DeviceCode[:], p.UserCode[:], p.ProfileID, p.Device, int64(p.Dialect), scopeColumn(p.Essential), scopeColumn(p.Voluntary),
			[]byte{}, p.Interval.Microseconds(), micros(p.ExpiresAt))
		if err := need(rows, err, ErrCodeTaken); err != nil {
			return err
		}
		return t.expire(ctx, "device_pairs", "device_code", "expires_at", micros(now.Add(-authz.DeviceRetention)))
	})
}

// DevicePair reads a pair by the digest of its device code, expired or not, or answers
// ErrNotFound.
func (s *Store) DevicePair(ctx context.Context, deviceCode [32]byte) (authz.DevicePair, error) {
	return scanPair(s.db.QueryRow(ctx, `SELECT `+pairColumns+` FROM device_pairs WHERE device_code = $1`, deviceCode[:]))
}

// DevicePairFor reads a pair by the digest of its user code, expired or not, or answers
// ErrNotFound.
func (s *Store) DevicePairFor(ctx context.Context, userCode [32]byte) (authz.DevicePair, error) {
	return scanPair(s.db.QueryRow(ctx, `SELECT `+pairColumns+` FROM device_pairs WHERE user_code = $1`, userCode[:]))
}

// Poll is how a poll of a device that waits is to be answered.
type Poll struct {
	// TooSoon: before the interval had passed, which has grown by that.
	TooSoon  bool
	Interval time.Duration
}

// PollDevice counts a poll of a pair that waits for its user, for all replicas
// (RFC 8628 section 3.5). It answers ErrNotFound when the pair waits no more.
func (s *Store) PollDevice(ctx context.Context, deviceCode [32]byte, now time.Time) (Poll, error) {
	var poll Poll
	err := s.write(ctx, func(ctx context.Context, t *tx) error {
		poll = Poll{}
		var interval int64
		err := t.QueryRow(ctx, `UPDATE device_pairs SET polled_at = $1 WHERE device_code = $2 AND state = $3 AND polled_at + poll_interval <= $4 RETURNING poll_interval`,
			micros(now), deviceCode[:], int64(authz.DevicePending), micros(now.Add(authz.PollGrace))).Scan(&interval)
		if errors.Is(err, sqldb.ErrNoRows) {
			poll.TooSoon = true
			err = t.QueryRow(ctx, `UPDATE device_pairs SET polled_at = $1, poll_interval = CASE WHEN poll_interval + $4 > $5 THEN $5 ELSE poll_interval + $4 END
				WHERE device_code = $2 AND state = $3 RETURNING poll_interval`,
				micros(now), deviceCode[:], int64(authz.DevicePending), authz.SlowDownStep.Microseconds(), authz.MaxPollInterval.Microseconds()).Scan(&interval)
		}
		poll.Interval = time.Duration(interval) * time.Microsecond
		return notFound(err)
	})
	return poll, err
}

// AllowDevice is Allow for the device that shows a code. It answers ErrNotFound when
// the pair waits no more, or account, profile or device have ended; nothing is then
// allowed.
func (s *Store) AllowDevice(ctx context.Context, userCode [32]byte, a Allowance, authenticatedAt time.Time, by audit.By) error {
	return s.settleEvent(ctx, by.At, func(ctx context.Context, t *tx) error {
		g, err := t.allow(ctx, a, by)
		if err != nil {
			return err
		}
		rows, err := t.Exec(ctx, `UPDATE device_pairs SET state = $1, grant_given = $2, scopes = $3, authenticated_at = $4
			WHERE user_code = $5 AND profile_id = $6 AND state = $7 AND expires_at > $8
			AND (device <= 0 OR EXISTS (SELECT 1 FROM device_clients AS c WHERE c.id = device_pairs.device))`,
			int64(authz.DeviceAllowed), g.ID, scopeColumn(a.Allowed), micros(authenticatedAt),
			userCode[:], a.ProfileID, int64(authz.DevicePending), micros(by.At))
		return need(rows, err, ErrNotFound)
	})
}

// DenyDevice is the user's no to the device that shows a code. It answers ErrNotFound
// when the pair waits no more. When the outcome of the commit is unknown, it is made
// again, and a no that is there by then is as good.
func (s *Store) DenyDevice(ctx context.Context, userCode [32]byte, now time.Time) error {
	from := authz.DevicePending
	return s.settle(ctx, func(ctx context.Context, t *tx) error {
		rows, err := t.Exec(ctx, `UPDATE device_pairs SET state = $1 WHERE user_code = $2 AND state IN ($3, $4) AND expires_at > $5`,
			int64(authz.DeviceDenied), userCode[:], int64(authz.DevicePending), int64(from), micros(now))
		from = authz.DeviceDenied // from the second run on
		return need(rows, err, ErrNotFound)
	})
}

// RedeemDevice lets exactly one poll have the tokens of an allowed pair. Losing ends
// nothing, unlike with [Store.Redeem]: a device polls again by its nature, also while
// the answer that it waits for is on its way. When the outcome of the commit is
// unknown, the attempt is made again: the row names the one that won.
func (s *Store) RedeemDevice(ctx context.Context, deviceCode [32]byte, now time.Time) (authz.Redemption, error) {
	attempt := newAttempt()
	var result authz.Redemption
	err := s.settle(ctx, func(ctx context.Context, t *tx) error {
		rows, err := t.Exec(ctx, `UPDATE device_pairs SET state = $1, attempt = $2 WHERE device_code = $3 AND (state = $4 OR state = $1 AND attempt = $2) AND expires_at > $5
			AND EXISTS (SELECT 1 FROM grants AS g WHERE g.id = device_pairs.grant_given)`,
			int64(authz.DeviceRedeemed), attempt[:], deviceCode[:], int64(authz.DeviceAllowed), micros(now))
		if err != nil {
			return err
		}
		if rows == 1 {
			result = authz.Redeemed
			return nil
		}
		var state authz.DeviceState
		err = t.QueryRow(ctx, `SELECT state FROM device_pairs WHERE device_code = $1`, deviceCode[:]).Scan(&state)
		if err != nil && !errors.Is(err, sqldb.ErrNoRows) {
			return err
		}
		result = authz.GrantGone
		if err == nil && state == authz.DeviceRedeemed {
			result = authz.Replayed
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return result, nil
}
