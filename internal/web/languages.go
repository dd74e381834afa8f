package web

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// maxLanguages bounds what is read of a header that anybody can write.
const maxLanguages = 16

// Languages are the tags of the header Accept-Language, the most wanted first (RFC 9110
// section 12.5.4). What cannot be read is left out.
func Languages(r *http.Request) []string {
	type wanted struct {
		tag    string
		weight float64
	}
	var all []wanted
	for _, header := range r.Header.Values("Accept-Language") {
		for part := range strings.SplitSeq(header, ",") {
			tag, params, _ := strings.Cut(part, ";")
			w := wanted{strings.TrimSpace(tag), 1}
			if q, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(params)), "q="); ok {
				weight, err := strconv.ParseFloat(q, 64)
				if err != nil {
					continue
				}
				w.weight = weight
			}
			if w.tag != "" && w.tag != "*" && w.weight > 0 && w.weight <= 1 && len(all) < maxLanguages {
				all = append(all, w)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b wanted) int { return cmp.Compare(b.weight, a.weight) })
	tags := make([]string, len(all))
	for i, w := range all {
		tags[i] = w.tag
	}
	return tags
}
