package store

import (
	"context"
	"slices"
	"time"

	"gatelodge/internal/sqldb"
)

const memberColumns = `p.id, p.subject, p.name, p.email, p.user_code, m.manage, m.reports, m.created_at`

func scanMember(r scanner) (Member, error) {
	var m Member
	var manage, reports, since int64
	err := r.Scan(&m.ID, &m.Subject, &m.Name, &m.Email, &m.UserCode, &manage, &reports, &since)
	m.Manage, m.Reports, m.Since = manage != 0, reports != 0, fromMicros(since)
	return m, notFound(err)
}

// Member reads one of those in an account.
func (s *Store) Member(ctx context.Context, accountID, personID int64) (Member, error) {
	return scanMember(s.db.QueryRow(ctx, `SELECT `+memberColumns+` FROM members AS m JOIN people AS p ON p.id = m.person_id WHERE m.account_id = $1 AND m.person_id = $2`, accountID, personID))
}

// LetIn lets somebody into an account, or answers ErrTaken when they are in already:
// what they may do there is changed on purpose only.
func (s *Store) LetIn(ctx context.Context, accountID, personID int64, r Rights, by Actor) error {
	return s.db.Write(ctx, func(ctx context.Context, t *sqldb.Tx) error {
		touched, err := t.Exec(ctx, `INSERT INTO members (account_id, person_id, manage, reports, created_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (account_id, person_id) DO NOTHING`,
			accountID, personID, flag(r.Manage), flag(r.Reports), micros(by.At))
		if err != nil {
			return err
		}
		if touched == 0 {
			return ErrTaken
		}
		return s.event(ctx, t, accountID, by, "member.rights", describeMember(ctx, t, personID, r))
	})
}

// SetRights changes what a member may do. Unlike AddMember it does not let in somebody
// who has been removed meanwhile: ErrNotFound. ErrLastManager as there.
func (s *Store) SetRights(ctx context.Context, accountID, personID int64, r Rights, by Actor) error {
	return s.db.Write(ctx, func(ctx context.Context, t *sqldb.Tx) error {
		if err := lockAccount(ctx, t, accountID); err != nil {
			return err
		}
		if err := need(t.Exec(ctx, `UPDATE members SET manage = $1, reports = $2 WHERE account_id = $3 AND person_id = $4`, flag(r.Manage), flag(r.Reports), accountID, personID)); err != nil {
			return err
		}
		if left, err := managers(ctx, t, accountID); err != nil {
			return err
		} else if left == 0 {
			return ErrLastManager
		}
		return s.event(ctx, t, accountID, by, "member.rights", describeMember(ctx, t, personID, r))
	})
}

// Periods lists the reports of a type for people, the newest period first, and counts
// them.
func (s *Store) Periods(ctx context.Context, rt ReportType, p Page) (all []Report, total int, err error) {
	o, err := s.order(ctx, rt)
	if err != nil {
		return nil, 0, err
	}
	total = len(o.ids)
	end := max(total-p.Offset, 0)
	all, err = s.reportsOf(ctx, o.ids[max(end-p.Limit, 0):end])
	slices.Reverse(all)
	return all, total, err
}

// Coverage is what there is of a report type.
type Coverage struct {
	Reports int
	// Latest is the first day of the newest period, zero when there is none, and
	// ModifiedAt when one was last published.
	Latest, ModifiedAt time.Time
}

// Coverages tells of each type of a channel what there is.
func (s *Store) Coverages(ctx context.Context, channelID int64) (map[int64]Coverage, error) {
	type row struct {
		typeID int64
		Coverage
	}
	all, err := collect(ctx, outside{s.db}, func(r scanner) (row, error) {
		var c row
		var latest, modified int64
		err := r.Scan(&c.typeID, &c.Reports, &latest, &modified)
		c.Latest, c.ModifiedAt = date(latest), fromMicros(modified)
		return c, err
	}, `SELECT t.id, COUNT(*), MAX(r.begin_day), MAX(r.modified_at) FROM report_types AS t JOIN reports AS r ON r.type_id = t.id WHERE t.channel_id = $1 GROUP BY t.id`, channelID)
	if err != nil {
		return nil, err
	}
	coverages := make(map[int64]Coverage, len(all))
	for _, c := range all {
		coverages[c.typeID] = c.Coverage
	}
	return coverages, nil
}

// ReportOf reads a report of an account, with its type and channel.
func (s *Store) ReportOf(ctx context.Context, accountID, id int64) (p Report, rt ReportType, c Channel, err error) {
	if p, err = scanReport(s.db.QueryRow(ctx, `SELECT `+reportColumns+` FROM reports WHERE id = $1
		AND type_id IN (SELECT t.id FROM report_types AS t JOIN channels AS c ON c.id = t.channel_id WHERE c.account_id = $2)`, id, accountID)); err != nil {
		return p, rt, c, err
	}
	if rt, err = scanType(s.db.QueryRow(ctx, `SELECT `+typeColumns+` FROM report_types WHERE id = $1`, p.TypeID)); err != nil {
		return p, rt, c, err
	}
	c, err = scanChannel(s.db.QueryRow(ctx, `SELECT `+channelColumns+` FROM channels WHERE id = $1`, rt.ChannelID))
	return p, rt, c, err
}
