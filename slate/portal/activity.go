package portal

import (
	"cmp"
	"net/http"

	"gatelodge/internal/web"
	"gatelodge/slate/store"
)

// maxEvents is how much of what was done is shown.
const maxEvents = 200

// eventWords say what was done; the detail follows.
var eventWords = map[string]string{
	"account.created":           "Account created",
	"account.statements_linked": "Financial statements linked",
	"member.rights":             "Permissions set",
	"member.removed":            "User removed",
	"member.invited":            "User invited",
	"member.uninvited":          "Invitation taken back",
	"member.accepted":           "Invitation accepted",
	"application.added":         "Application added",
	"application.described":     "Application described",
	"application.removed":       "Application removed",
}

type activityPage struct {
	Account store.Membership
	Events  []store.Event // Kind in words
	More    bool
}

func (p *Portal) activity(w http.ResponseWriter, r *http.Request, v visit) error {
	events, err := p.options.Store.Events(r.Context(), v.account.ID, maxEvents+1)
	if err != nil {
		return err
	}
	data := activityPage{Account: v.account, Events: events[:min(len(events), maxEvents)], More: len(events) > maxEvents}
	for i, e := range data.Events {
		data.Events[i].Kind = cmp.Or(eventWords[e.Kind], e.Kind)
		data.Events[i].Actor = cmp.Or(e.Actor, "Operator")
	}
	return p.render(w, r, v, http.StatusOK, "activity", web.Page{Title: "Activity", Active: "activity"}, data)
}
