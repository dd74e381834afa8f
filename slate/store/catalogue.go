package store

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gatelodge/internal/sqldb"
)

// Ids of report groups (slate.md section 9.2).
const (
	GroupChannels   = "channels"
	GroupPremium    = "channelsPremium"
	GroupRentOrBuy  = "rentOrBuy"
	GroupStatements = "financialStatement"
)

// Groups are all report groups, id and name, in the order of the pages.
func Groups() [][2]string {
	return [][2]string{{GroupChannels, "Channels"}, {GroupPremium, "Channels Premium"}, {GroupRentOrBuy, "Rent or Buy"}, {GroupStatements, "Financial Statements"}}
}

// Channel is a channel or studio of an account, or the identifier of its financial
// statements.
type Channel struct {
	ID        int64
	AccountID int64
	Group     string
	Folder    string // its name in the reports' folder
	Name      string
	Territory string // a country code, "" for none
}

// ReportType is a kind of report of a channel.
type ReportType struct {
	ID        int64
	ChannelID int64
	Folder    string
	Name      string
	Cadence   string // Daily, Weekly, Monthly
	// Columns is the header row that every report of the type has, "" before the first.
	Columns string
	// version counts the changes of its reports.
	version int64
}

// Report is one period of a type.
type Report struct {
	ID         int64
	TypeID     int64
	Begin, End time.Time // days, both inclusive
	Version    int64     // counts corrected files
	ModifiedAt time.Time
	Rows       int64
	// File names the published archive, "" for a period without activity.
	File   string
	Bytes  int64
	Digest [32]byte // of the source
	// Archive is the digest of File.
	Archive [32]byte
}

// day and date turn days into numbers and back.
func day(t time.Time) int64       { return t.Unix() / 86400 }
func date(number int64) time.Time { return time.Unix(number*86400, 0).UTC() }

// Page is a part of a list: at most Limit after the first Offset.
type Page struct{ Limit, Offset int }

// counted cuts a page to its size, which was read with one item more, and says how many
// there are in all. A last page tells by itself; the others are counted by text.
func counted[T any](ctx context.Context, s *Store, p Page, read []T, text string, args ...any) (page []T, total int, err error) {
	if len(read) <= p.Limit && (len(read) > 0 || p.Offset == 0) {
		return read, p.Offset + len(read), nil
	}
	err = s.db.QueryRow(ctx, text, args...).Scan(&total)
	return read[:min(p.Limit, len(read))], total, err
}

// GroupsOf lists the ids of the groups in which an account has anything.
func (s *Store) GroupsOf(ctx context.Context, accountID int64) ([]string, error) {
	return collect(ctx, outside{s.db}, func(r scanner) (string, error) {
		var id string
		err := r.Scan(&id)
		return id, err
	}, groupsOf, accountID)
}

// groupsOf looks for one channel of each group: an account may have many.
var groupsOf = func() string {
	var one []string
	for _, g := range Groups() {
		one = append(one, `SELECT '`+g[0]+`' WHERE EXISTS (SELECT 1 FROM channels WHERE account_id = $1 AND group_id = '`+g[0]+`')`)
	}
	return strings.Join(one, ` UNION ALL `)
}()

const channelColumns = `id, account_id, group_id, folder, name, territory`

func scanChannel(r scanner) (Channel, error) {
	var c Channel
	err := r.Scan(&c.ID, &c.AccountID, &c.Group, &c.Folder, &c.Name, &c.Territory)
	return c, notFound(err)
}

const countChannels = `SELECT COUNT(*) FROM channels WHERE account_id = $1 AND group_id = $2`

// Channels lists the channels of a group by name, and counts all.
func (s *Store) Channels(ctx context.Context, accountID int64, group string, p Page) (all []Channel, total int, err error) {
	all, err = collect(ctx, outside{s.db}, scanChannel, `SELECT `+channelColumns+` FROM channels WHERE account_id = $1 AND group_id = $2 ORDER BY name, territory, id LIMIT $3 OFFSET $4`,
		accountID, group, p.Limit+1, p.Offset)
	if err == nil {
		all, total, err = counted(ctx, s, p, all, countChannels, accountID, group)
	}
	return all, total, err
}

// channelsFor is Channels for a client that may read them for a subject, and that alone.
const channelsFor = `SELECT c.id, c.folder, c.name, c.territory, x.id FROM people AS p JOIN members AS m ON m.person_id = p.id AND m.account_id = $3 AND m.reports <> 0
	JOIN applications AS x ON x.account_id = $3 AND x.client_id = $2 AND x.reporting <> 0
	JOIN channels AS c ON c.account_id = $3 AND c.group_id = $4
	WHERE p.subject = $1 ORDER BY c.name, c.territory, c.id LIMIT $5 OFFSET $6`

// ChannelsFor is Channels, for a call of the API in one statement: both halves of the
// rights are its condition, so that it lists none when one is missing. Application is the
// one that was let in, 0 when none is listed.
func (s *Store) ChannelsFor(ctx context.Context, subject, clientID string, accountID int64, group string, p Page) (all []Channel, total int, application int64, err error) {
	all, err = collect(ctx, outside{s.db}, func(r scanner) (Channel, error) {
		c := Channel{AccountID: accountID, Group: group}
		err := r.Scan(&c.ID, &c.Folder, &c.Name, &c.Territory, &application)
		return c, err
	}, channelsFor, subject, clientID, accountID, group, p.Limit+1, p.Offset)
	if err == nil && len(all) > 0 {
		all, total, err = counted(ctx, s, p, all, countChannels, accountID, group)
	}
	return all, total, application, err
}

// Channel reads one of an account's channels.
func (s *Store) Channel(ctx context.Context, accountID int64, group string, id int64) (Channel, error) {
	return scanChannel(s.db.QueryRow(ctx, `SELECT `+channelColumns+` FROM channels WHERE account_id = $1 AND group_id = $2 AND id = $3`, accountID, group, id))
}

// ChannelByFolder reads one by its folder: financial statements are named by it.
func (s *Store) ChannelByFolder(ctx context.Context, accountID int64, group, folder string) (Channel, error) {
	return scanChannel(s.db.QueryRow(ctx, `SELECT `+channelColumns+` FROM channels WHERE account_id = $1 AND group_id = $2 AND folder = $3`, accountID, group, folder))
}

const typeColumns = `id, channel_id, folder, name, cadence, columns, list_version`

func scanType(r scanner) (ReportType, error) {
	var rt ReportType
	err := r.Scan(&rt.ID, &rt.ChannelID, &rt.Folder, &rt.Name, &rt.Cadence, &rt.Columns, &rt.version)
	return rt, notFound(err)
}

const countTypes = `SELECT COUNT(*) FROM report_types WHERE channel_id = $1`

// Types lists the report types of a channel, and counts all.
func (s *Store) Types(ctx context.Context, channelID int64, p Page) (all []ReportType, total int, err error) {
	all, err = collect(ctx, outside{s.db}, scanType, `SELECT `+typeColumns+` FROM report_types WHERE channel_id = $1 ORDER BY name, cadence, id LIMIT $2 OFFSET $3`, channelID, p.Limit+1, p.Offset)
	if err == nil {
		all, total, err = counted(ctx, s, p, all, countTypes, channelID)
	}
	return all, total, err
}

// typesFor is Types for a client that may read them for a subject, and that alone.
const typesFor = `SELECT t.id, t.name, t.cadence, x.id FROM people AS p JOIN members AS m ON m.person_id = p.id AND m.account_id = $3 AND m.reports <> 0
	JOIN applications AS x ON x.account_id = $3 AND x.client_id = $2 AND x.reporting <> 0
	JOIN channels AS c ON c.id = $5 AND c.account_id = $3 AND c.group_id = $4
	JOIN report_types AS t ON t.channel_id = $5
	WHERE p.subject = $1 ORDER BY t.name, t.cadence, t.id LIMIT $6 OFFSET $7`

// TypesFor is to Types what ChannelsFor is to Channels.
func (s *Store) TypesFor(ctx context.Context, subject, clientID string, accountID int64, group string, channelID int64, p Page) (all []ReportType, total int, application int64, err error) {
	all, err = collect(ctx, outside{s.db}, func(r scanner) (ReportType, error) {
		t := ReportType{ChannelID: channelID}
		err := r.Scan(&t.ID, &t.Name, &t.Cadence, &application)
		return t, err
	}, typesFor, subject, clientID, accountID, group, channelID, p.Limit+1, p.Offset)
	if err == nil && len(all) > 0 {
		all, total, err = counted(ctx, s, p, all, countTypes, channelID)
	}
	return all, total, application, err
}

// Type reads a type of a channel.
func (s *Store) Type(ctx context.Context, channelID, id int64) (ReportType, error) {
	return scanType(s.db.QueryRow(ctx, `SELECT `+typeColumns+` FROM report_types WHERE channel_id = $1 AND id = $2`, channelID, id))
}

const reportColumns = `id, type_id, begin_day, end_day, version, modified_at, row_count, file, bytes, digest, archive_digest`

func scanReport(r scanner) (Report, error) {
	var p Report
	var begin, end, modified int64
	var digest, archive []byte
	err := r.Scan(&p.ID, &p.TypeID, &begin, &end, &p.Version, &modified, &p.Rows, &p.File, &p.Bytes, &digest, &archive)
	p.Begin, p.End, p.ModifiedAt = date(begin), date(end), fromMicros(modified)
	copy(p.Digest[:], digest)
	copy(p.Archive[:], archive)
	return p, notFound(err)
}

// Published is a checked file that becomes a report, with all that it hangs on.
type Published struct {
	AccountID int64
	Channel   Channel    // Group, Folder, Name and Territory
	Type      ReportType // Folder, Name, Cadence and Columns
	Report    Report     // Begin, End, Rows, File, Bytes and Digest
	// Sums are what the dashboard plots of the period, by measure.
	Sums map[string]int64
	// Source is the file, and Others are those that would be of the same period.
	Source Source
	Others []string
}

// Source is a file that was read.
type Source struct {
	Path      string
	Bytes     int64
	ChangedAt time.Time
	Digest    [32]byte
	// Problem is why it was set aside, "" when it was published.
	Problem string
	ReadAt  time.Time
}

// ErrColumns: the file has other columns than the reports of its type before it.
type ErrColumns struct{ Before string }

func (e *ErrColumns) Error() string { return "slate: other columns than before: " + e.Before }

// ErrTwice: another file is the report of the period already.
type ErrTwice struct{ Path string }

func (e *ErrTwice) Error() string { return "slate: the period is that of another file: " + e.Path }

// Publish makes a report visible, or the next version of one, in one transaction, and
// notes that the archive the period had before is replaced. A file that has the digest
// of the present version changes nothing.
func (s *Store) Publish(ctx context.Context, p Published, now time.Time) (report Report, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, t *sqldb.Tx) error {
		var channelID, typeID int64
		if err := t.QueryRow(ctx, `INSERT INTO channels (`+channelColumns+`) SELECT $1, id, $2, $3, $4, $5 FROM accounts WHERE id = $6
			ON CONFLICT (account_id, group_id, folder) DO UPDATE SET name = $4, territory = $5 RETURNING id`,
			s.nextID(now), p.Channel.Group, p.Channel.Folder, p.Channel.Name, p.Channel.Territory, p.AccountID).Scan(&channelID); err != nil {
			return notFound(err)
		}
		var columns string
		// The version is counted first: on PostgreSQL too, one change of a list comes after
		// another.
		if err := t.QueryRow(ctx, `INSERT INTO report_types (`+typeColumns+`) VALUES ($1, $2, $3, $4, $5, $6, 1)
			ON CONFLICT (channel_id, folder) DO UPDATE SET name = $4, cadence = $5, list_version = report_types.list_version + 1 RETURNING id, columns`,
			s.nextID(now), channelID, p.Type.Folder, p.Type.Name, p.Type.Cadence, p.Type.Columns).Scan(&typeID, &columns); err != nil {
			return err
		}
		if columns == "" {
			if _, err := t.Exec(ctx, `UPDATE report_types SET columns = $1 WHERE id = $2`, p.Type.Columns, typeID); err != nil {
				return err
			}
		} else if p.Type.Columns != "" && columns != p.Type.Columns {
			return &ErrColumns{columns}
		}
		for _, other := range p.Others { // counting the version above made others wait
			var published bool
			if err := t.QueryRow(ctx, `SELECT COUNT(*) > 0 FROM sources WHERE path = $1 AND problem = ''`, other).Scan(&published); err != nil {
				return err
			}
			if published {
				return &ErrTwice{other}
			}
		}
		r := p.Report
		var before string
		err := t.QueryRow(ctx, `SELECT file FROM reports WHERE type_id = $1 AND begin_day = $2 AND end_day = $3`, typeID, day(r.Begin), day(r.End)).Scan(&before)
		if err != nil && !errors.Is(err, sqldb.ErrNoRows) {
			return err
		}
		report, err = scanReport(t.QueryRow(ctx, `INSERT INTO reports (`+reportColumns+`) VALUES ($1, $2, $3, $4, 1, $5, $6, $7, $8, $9, $10)
			ON CONFLICT (type_id, begin_day, end_day) DO UPDATE SET version = CASE WHEN reports.digest = $9 THEN reports.version ELSE reports.version + 1 END,
				modified_at = CASE WHEN reports.digest = $9 THEN reports.modified_at ELSE $5 END, row_count = $6, file = $7, bytes = $8, digest = $9, archive_digest = $10 RETURNING `+reportColumns,
			s.nextID(now), typeID, day(r.Begin), day(r.End), micros(now), r.Rows, r.File, r.Bytes, r.Digest[:], r.Archive[:]))
		if err != nil {
			return err
		}
		// A corrected file may have no activity, or other columns with figures.
		if _, err := t.Exec(ctx, `DELETE FROM weeks WHERE channel_id = $1 AND type_id = $2 AND begin_day = $3`, channelID, typeID, day(r.Begin)); err != nil {
			return err
		}
		for measure, value := range p.Sums {
			if _, err := t.Exec(ctx, `INSERT INTO weeks (channel_id, type_id, begin_day, measure, value) VALUES ($1, $2, $3, $4, $5)`, channelID, typeID, day(r.Begin), measure, value); err != nil {
				return err
			}
		}
		if err := replaced(ctx, t, before, report.File, now); err != nil {
			return err
		}
		return putSource(ctx, t, p.Source)
	})
	return report, err
}

// SetAside notes why a file was not published.
func (s *Store) SetAside(ctx context.Context, source Source) error {
	return s.db.Write(ctx, func(ctx context.Context, t *sqldb.Tx) error { return putSource(ctx, t, source) })
}

func putSource(ctx context.Context, t *sqldb.Tx, f Source) error {
	_, err := t.Exec(ctx, `INSERT INTO sources (path, bytes, changed_at, digest, problem, read_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (path) DO UPDATE SET bytes = $2, changed_at = $3, digest = $4, problem = $5, read_at = $6`,
		f.Path, f.Bytes, micros(f.ChangedAt), f.Digest[:], f.Problem, micros(f.ReadAt))
	return err
}

func scanSource(r scanner) (Source, error) {
	var f Source
	var changed, read int64
	var digest []byte
	err := r.Scan(&f.Path, &f.Bytes, &changed, &digest, &f.Problem, &read)
	f.ChangedAt, f.ReadAt = fromMicros(changed), fromMicros(read)
	copy(f.Digest[:], digest)
	return f, notFound(err)
}

const sourceColumns = `path, bytes, changed_at, digest, problem, read_at`

// Sources lists what was read below a folder, "" for all.
func (s *Store) Sources(ctx context.Context, below string) ([]Source, error) {
	return collect(ctx, outside{s.db}, scanSource, `SELECT `+sourceColumns+` FROM sources WHERE path >= $1 AND path < $2 ORDER BY path`, below, below+"\U0010FFFF")
}

// Problems lists the files that were set aside, the newest first.
func (s *Store) Problems(ctx context.Context, limit int) ([]Source, error) {
	return collect(ctx, outside{s.db}, scanSource, `SELECT `+sourceColumns+` FROM sources WHERE problem <> '' ORDER BY read_at DESC, path LIMIT $1`, limit)
}

// Point is one value of a plot.
type Point struct {
	Begin time.Time
	Value int64
}

// Plot sums a measure of all channels of an account by week. What weekly reports say
// is said again by the daily and the monthly ones, so these are left out.
func (s *Store) Plot(ctx context.Context, accountID int64, measure string, since time.Time) ([]Point, error) {
	return collect(ctx, outside{s.db}, func(r scanner) (Point, error) {
		var p Point
		var begin int64
		err := r.Scan(&begin, &p.Value)
		p.Begin = date(begin)
		return p, err
	}, `SELECT w.begin_day, SUM(w.value) FROM weeks AS w JOIN channels AS c ON c.id = w.channel_id JOIN report_types AS t ON t.id = w.type_id
		WHERE c.account_id = $1 AND t.cadence = 'Weekly' AND w.measure = $2 AND w.begin_day >= $3 GROUP BY w.begin_day ORDER BY w.begin_day`,
		accountID, measure, day(since))
}

// MaxFolder bounds the names in the reports' folder.
const MaxFolder = 120

// CleanFolder reports whether s can be one: it is a part of paths, of pages and of
// lines in logs and terminals.
func CleanFolder(s string) bool {
	return strings.TrimSpace(s) == s && s != "" && len(s) <= MaxFolder && !strings.ContainsAny(s, "/\\") && !strings.HasPrefix(s, ".") &&
		utf8.ValidString(s) && !strings.ContainsFunc(s, unseen)
}

// unseen characters make a name look like another, or move the cursor.
func unseen(c rune) bool {
	return unicode.IsControl(c) || unicode.In(c, unicode.Bidi_Control, unicode.Zl, unicode.Zp) || c == '\uFEFF' || c == '\u200B'
}
