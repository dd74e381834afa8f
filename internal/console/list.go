package console

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"gatelodge/internal/registry"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

const (
	profilesPerPage = 25
	searchMaxChars  = 100
	// newFor is how long the profile just made is marked.
	newFor = time.Minute

	createdParam = "created"
	deletedParam = "deleted"
)

type listPage struct {
	Count         int
	Query         string
	Rows          []listRow
	Newest, Older string // addresses of other pages, empty where there is none
}

type listRow struct {
	Key, Path         string
	Name, Description string
	LogoURL, ClientID string
	CreatedAt, UsedAt time.Time
	New, IsSuspended  bool
	Dynamic           bool // registered itself
}

// list shows the developer account's profiles, newest first. The cursor is the id
// of the last row, so a page costs the same wherever it is in the list.
func (s *Surface) list(w http.ResponseWriter, r *http.Request, v visit) error {
	query := url.Values{}
	before, err := strconv.ParseInt(r.FormValue("before"), 10, 64)
	if err != nil {
		before = 0
	}
	page := listPage{Query: searchWords(r.FormValue("q"))}
	ask := store.ProfileQuery{DeveloperID: v.developer.ID, Search: page.Query, Before: before, Limit: profilesPerPage}
	if key, err := s.Namespace.ParseClientID(page.Query); err == nil {
		ask.Client = &key
	}
	if page.Query != "" {
		query.Set("q", page.Query)
	}
	if page.Count, err = s.Store.CountProfiles(r.Context(), v.developer.ID); err != nil {
		return err
	}
	found, err := s.Store.Profiles(r.Context(), ask)
	if err != nil {
		return err
	}
	for _, p := range found.Profiles {
		page.Rows = append(page.Rows, s.listRow(p, v.now))
	}
	if before > 0 {
		page.Newest = listAddress(query)
	}
	if found.More {
		query.Set("before", strconv.FormatInt(found.Profiles[len(found.Profiles)-1].ID, 10))
		page.Older = listAddress(query)
	}
	return s.render(w, r, v, http.StatusOK, "list", "Security profiles", listFlash(r, found.Profiles, v.now), page)
}

func (s *Surface) listRow(p registry.SecurityProfile, now time.Time) listRow {
	return listRow{
		Key: profileKey(p), Path: profilePath(p), Name: p.Name, Description: p.Description,
		LogoURL: logoURL(p.Logo), ClientID: s.Namespace.ClientID(p.Client),
		CreatedAt: p.CreatedAt, UsedAt: p.LastUsedAt,
		New: now.Sub(p.CreatedAt) < newFor, IsSuspended: !p.SuspendedAt.IsZero(), Dynamic: p.Dynamic,
	}
}

func listAddress(query url.Values) string {
	if len(query) == 0 {
		return listPath
	}
	return listPath + "?" + query.Encode()
}

// searchWords is what was searched for, as one short line of text that every
// database takes (PostgreSQL refuses zero bytes and broken UTF-8).
func searchWords(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	runes := []rune(strings.TrimSpace(s))
	return strings.TrimSpace(string(runes[:min(len(runes), searchMaxChars)]))
}

// listFlash leads on from a profile just made, and confirms one just deleted.
func listFlash(r *http.Request, rows []registry.SecurityProfile, now time.Time) *web.Flash {
	for _, p := range rows {
		if profileKey(p) == r.FormValue(createdParam) && now.Sub(p.CreatedAt) < newFor {
			return &web.Flash{
				Kind: web.Success, Title: "“" + p.Name + "” was created",
				Detail: "Next, say where users are sent back to, then take the credentials.",
				Links:  []web.Link{{Text: "Set its return URLs", URL: webSettingsPath(p) + "?edit=1"}},
			}
		}
	}
	ms, err := strconv.ParseInt(r.FormValue(deletedParam), 10, 64)
	if deleted := time.UnixMilli(ms); err == nil && !deleted.After(now) && now.Sub(deleted) < newFor {
		return &web.Flash{
			Kind: web.Success, Title: "The security profile was deleted",
			Detail: "Its credentials, tokens and consents have ended. " + inEffect(deleted, now),
		}
	}
	return nil
}
