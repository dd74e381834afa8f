package store

import (
	"context"
	"strings"

	"gatelodge/internal/registry"
)

// searchText is what the list's search looks in: lower case, so that one LIKE
// serves both databases.
func searchText(name, description string) string {
	return strings.ToLower(name + "\n" + description)
}

// likePattern finds words literally.
func likePattern(words string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(storable(words))) + "%"
}

// ProfileQuery asks for one page of a list of profiles, newest first.
type ProfileQuery struct {
	// DeveloperID 0 asks for everybody's: the operator's list.
	DeveloperID int64
	// Search, when set, is looked for in name and description, in any case.
	Search string
	// Client, when set, is looked for exactly instead.
	Client *registry.ClientKey
	// Before is the id of the last row of the page before, 0 for the first page.
	Before int64
	Limit  int
}

// ProfilePage is one page: without return URLs, origins and secrets. More says
// that another page follows.
type ProfilePage struct {
	Profiles []registry.SecurityProfile
	More     bool
}

// Profiles reads one page of a list.
func (s *Store) Profiles(ctx context.Context, q ProfileQuery) (ProfilePage, error) {
	text, args := q.statement()
	rows, err := s.db.Query(ctx, text, args...)
	if err != nil {
		return ProfilePage{}, err
	}
	defer rows.Close()
	var page ProfilePage
	for rows.Next() {
		p, err := scanProfile(rows)
		if err != nil {
			return page, err
		}
		page.Profiles = append(page.Profiles, p)
	}
	if len(page.Profiles) > q.Limit {
		page.Profiles, page.More = page.Profiles[:q.Limit], true
	}
	return page, rows.Err()
}

// statement is one of a few texts, so that each is prepared once.
func (q ProfileQuery) statement() (text string, args []any) {
	where := []string{`id < $1`}
	before := q.Before
	if before <= 0 {
		before = 1<<63 - 1
	}
	args = []any{before, q.Limit + 1}
	if q.DeveloperID != 0 {
		where = append(where, `developer_id = $3`)
		args = append(args, q.DeveloperID)
	}
	switch {
	case q.Client != nil && q.DeveloperID != 0:
		where = append(where, `client_key = $4`)
		args = append(args, q.Client[:])
	case q.Client != nil:
		where = append(where, `client_key = $3`)
		args = append(args, q.Client[:])
	case q.Search != "" && q.DeveloperID != 0:
		where = append(where, `search_text LIKE $4 ESCAPE '\'`)
		args = append(args, likePattern(q.Search))
	case q.Search != "":
		where = append(where, `search_text LIKE $3 ESCAPE '\'`)
		args = append(args, likePattern(q.Search))
	}
	return `SELECT ` + profileColumns + ` FROM profiles WHERE ` + strings.Join(where, ` AND `) + ` ORDER BY id DESC LIMIT $2`, args
}

// CountProfiles counts a developer account's profiles.
func (s *Store) CountProfiles(ctx context.Context, developerID int64) (int, error) {
	var n int
	err := s.db.QueryRow(ctx, `SELECT COUNT(*) FROM profiles WHERE developer_id = $1`, developerID).Scan(&n)
	return n, err
}
