package api

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"gatelodge/slate/store"
)

const (
	defaultLimit = 10
	maxLimit     = 100
	maxOffset    = 1_000_000_000
)

// Names of parameters.
const (
	paramLimit    = "limit"
	paramOffset   = "offset"
	paramModified = "modifiedDateGte"
)

// query is what the parameters of a call say.
type query struct {
	store.Page
	modifiedSince time.Time
	// modified is the parameter as it came, "" for none.
	modified string
}

// parseQuery reads the parameters. Those that it does not know are left alone.
func parseQuery(raw string) (query, error) {
	q := query{Page: store.Page{Limit: defaultLimit}}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return q, invalidRequest("The parameters cannot be read: percent-encode them, and separate them by &.")
	}
	for _, name := range []string{paramLimit, paramOffset, paramModified} {
		if len(values[name]) > 1 {
			return q, invalidRequest("The parameter " + name + " is there more than once.")
		}
	}
	if q.Limit, err = whole(values, paramLimit, defaultLimit, 1, maxLimit); err != nil {
		return q, err
	}
	if q.Offset, err = whole(values, paramOffset, 0, 0, maxOffset); err != nil {
		return q, err
	}
	if !values.Has(paramModified) {
		return q, nil
	}
	q.modified = values.Get(paramModified)
	moment, ok := parseMoment(q.modified)
	if !ok {
		return q, invalidRequest("The parameter modifiedDateGte is not a time: write one such as 2030-01-09T04:00:00.000Z.")
	}
	q.modifiedSince = moment
	return q, nil
}

// whole reads a whole number within bounds.
func whole(values url.Values, name string, initial, least, most int) (int, error) {
	if !values.Has(name) {
		return initial, nil
	}
	n, err := strconv.Atoi(values.Get(name))
	if err != nil || n < least || n > most {
		return initial, invalidRequest("The parameter " + name + " is not a whole number from " + strconv.Itoa(least) + " to " + strconv.Itoa(most) + ".")
	}
	return n, nil
}

// parseMoment reads an ISO 8601 time. A plus sign that was not percent-encoded comes as
// a space; one without a zone is UTC, and a day alone is its beginning.
func parseMoment(s string) (time.Time, bool) {
	if i := strings.LastIndexByte(s, ' '); i > len(time.DateOnly) {
		s = s[:i] + "+" + s[i+1:]
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateTime, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// next is the address of the page after this one, nil after the last.
func (q query) next(address string, total int) *string {
	if q.Offset+q.Limit >= total {
		return nil
	}
	address += "?" + paramOffset + "=" + strconv.Itoa(q.Offset+q.Limit) + "&" + paramLimit + "=" + strconv.Itoa(q.Limit)
	if q.modified != "" {
		address += "&" + paramModified + "=" + url.QueryEscape(q.modified)
	}
	return &address
}

// part is the page of a list that is all here.
func part[T any](all []T, p store.Page) []T {
	begin := min(p.Offset, len(all))
	return all[begin:min(begin+p.Limit, len(all))]
}
