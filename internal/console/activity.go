package console

import (
	"net/http"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/registry"
)

// eventsShown is how many of a profile's newest events are shown.
const eventsShown = 100

type activityPage struct {
	Head     head
	Refusals []refusalView
	Events   []eventView
	// Limit is set when older events are left out.
	Limit int
}

type eventView struct {
	At                         time.Time
	What, Detail, Who, Address string
}

// activity shows what was done to the profile, and which requests of the
// application were turned away.
func (s *Surface) activity(w http.ResponseWriter, r *http.Request, v visit) error {
	p, err := s.profile(r, v)
	if err != nil {
		return err
	}
	events, err := s.Store.ProfileEvents(r.Context(), p.ID, eventsShown)
	if err != nil {
		return err
	}
	refusals, err := s.Store.Refusals(r.Context(), p.ID)
	if err != nil {
		return err
	}
	page := activityPage{Head: newHead(p, tabActivity)}
	for _, e := range events {
		page.Events = append(page.Events, newEventView(p, e))
	}
	if len(events) == eventsShown {
		page.Limit = eventsShown
	}
	for _, refusal := range refusals {
		page.Refusals = append(page.Refusals, newRefusalView(p, refusal))
	}
	return s.render(w, r, v, http.StatusOK, "activity", "Activity · "+p.Name, nil, page)
}

func newEventView(p registry.SecurityProfile, e audit.Event) eventView {
	view := eventView{At: e.At, What: e.Kind.Words(), Detail: e.Detail, Who: actor(e), Address: e.Address}
	if e.Detail == p.Name {
		view.Detail = "" // it is the page's title
	}
	return view
}

func actor(e audit.Event) string {
	switch {
	case e.Kind == audit.ProfileRegistered:
		return "The application"
	case e.ActorID == 0:
		return "The operator"
	case e.ActorName == "":
		return "An account that was deleted"
	}
	return e.ActorName
}
