package console

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"gatelodge/internal/live"
	"gatelodge/internal/registry"
	"gatelodge/internal/web"
)

// savedParam tells the page after a save which version was saved, and when.
const savedParam = "saved"

const (
	// savedFor is how long a save is worth a notice when the page is loaded again.
	savedFor = 10 * time.Minute
	// clockSlack is by how much the clocks of two replicas may differ for it.
	clockSlack = time.Minute
)

// savedPath is where a save leads to: path, with what [savedFlash] needs. It is
// called after the commit, so that the moment it notes is no earlier.
func (s *Surface) savedPath(path string, version int64) string {
	return path + "?" + savedParam + "=" + strconv.FormatInt(version, 10) + "." + strconv.FormatInt(s.Now().UnixMilli(), 10)
}

// savedFlash says since when the last save is in effect; nil when the request does
// not come from that save. Anybody can write such an address, so it has to agree
// with the profile: a moment after the version was made can only claim less than
// is true.
func savedFlash(r *http.Request, p registry.SecurityProfile, now time.Time) *web.Flash {
	return savedVersion(r, p.Version, p.UpdatedAt, now)
}

// savedVersion is savedFlash for anything with versions; made is when this one was,
// zero if that is not kept.
func savedVersion(r *http.Request, current int64, made, now time.Time) *web.Flash {
	version, moment, ok := strings.Cut(r.FormValue(savedParam), ".")
	if !ok || version != strconv.FormatInt(current, 10) {
		return nil
	}
	ms, err := strconv.ParseInt(moment, 10, 64)
	if err != nil {
		return nil
	}
	committed := time.UnixMilli(ms)
	if committed.Before(made.Truncate(time.Millisecond)) || committed.After(now.Add(clockSlack)) || now.Sub(committed) > savedFor {
		return nil
	}
	return &web.Flash{Kind: web.Success, Title: "Saved", Detail: inEffect(committed, now)}
}

// inEffect says when a change committed at that moment holds. In this process it
// does at once; every other one has it [live.Bound] later.
func inEffect(committed, now time.Time) string {
	everywhere := committed.Add(live.Bound)
	if whole := everywhere.Truncate(time.Second); whole.Before(everywhere) {
		everywhere = whole.Add(time.Second)
	}
	clock := everywhere.UTC().Format("15:04:05 UTC")
	if now.Before(everywhere) {
		return "In effect here now, and everywhere by " + clock + "."
	}
	return "In effect everywhere since " + clock + "."
}
