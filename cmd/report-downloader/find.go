package main

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode"
)

// item is an account, a report group, a channel or studio, or a report type.
type item struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Territory string `json:"territory"`
	Cadence   string `json:"cadence"`
}

// folder is what the item's folder is called.
func (i item) folder(list string) string {
	switch {
	case list == "accounts" || list == "groups":
		return fileName(i.ID)
	case i.Territory != "":
		return fileName(i.Name + " (" + i.Territory + ")")
	}
	return fileName(strings.TrimSpace(i.Name + " " + i.Cadence))
}

// place is where the API lists something, and the folder that it has here.
type place struct{ path, folder string }

// below are the names of the lists on the way to the report types.
var below = []string{"accounts", "groups", "channels", "types"}

// find lists what there is down to the report types.
func (r *run) find(ctx context.Context) []place {
	places := []place{{}}
	for _, list := range below {
		var found []place
		each(places, r.parallel, func(above place) {
			address := above.path
			if list == "types" {
				address += "/reportTypes"
			}
			var items []item
			err := pages(ctx, r.api, address, url.Values{}, func(page []item) { items = append(items, page...) })
			if list == "accounts" { // nothing can be seen without
				if len(items) == 0 && err == nil {
					err = errors.New("no account: Slate lists none for this user")
				}
				if err != nil {
					err = fatal{err}
				}
			}
			r.problem(path.Join(above.folder, list), err)
			r.mu.Lock()
			defer r.mu.Unlock()
			for _, i := range items {
				p := place{address + "/" + url.PathEscape(i.ID), path.Join(above.folder, i.folder(list))}
				if slices.ContainsFunc(found, func(o place) bool { return strings.EqualFold(o.folder, p.folder) }) {
					p.folder += " " + fileName(i.ID) // some disks do not tell them apart otherwise
				}
				found = append(found, p)
			}
		})
		if list == "accounts" {
			r.withdrawn(ctx, found)
		}
		places = found
	}
	slices.SortFunc(places, func(a, b place) int { return strings.Compare(a.folder, b.folder) })
	return places
}

// withdrawn looks for accounts that were here before and are not listed any more, and
// asks Slate why.
func (r *run) withdrawn(ctx context.Context, listed []place) {
	gone := map[string]string{} // folders by paths
	for path, s := range r.shelves {
		id, _, _ := strings.Cut(path[1:], "/")
		gone["/"+id], _, _ = strings.Cut(s.Folder, "/")
	}
	for _, l := range listed {
		delete(gone, l.path)
	}
	for _, account := range slices.Sorted(maps.Keys(gone)) {
		if _, err := fs.Stat(r.here, gone[account]); errors.Is(err, fs.ErrNotExist) { // whoever removed it does without
			maps.DeleteFunc(r.shelves, func(path string, _ shelf) bool { return strings.HasPrefix(path, account+"/") })
			continue
		}
		var ignored page[item]
		r.problem("account "+account[1:]+" (remove its folder to go on without it)", r.api.get(ctx, r.api.base+account, &ignored))
	}
}

// fileName makes a name for a file out of a server's words: no path, nothing hidden,
// and what every system takes.
func fileName(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, s)
	if len(s) > 120 {
		s = strings.ToValidUTF8(s[:120], "")
	}
	s = strings.TrimRight(s, ". ")
	if s == "" || strings.HasPrefix(s, ".") {
		s = "_" + s
	}
	return s
}
