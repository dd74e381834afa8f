package console

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/registry"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

// saving is one form of a profile on its way into the store. Its functions are given
// the profile as it is at each attempt.
type saving struct {
	form *web.Form
	// page is where a save leads to, and event what it is noted as.
	page  tab
	event audit.Kind
	// mark is of what the form would be filled with.
	mark func(registry.SecurityProfile) string
	// judge reads the form, and reports whether the profile is so already. What is
	// wrong is in the form afterwards.
	judge func(registry.SecurityProfile) bool
	// show answers with the form; a nil conflict is none.
	show func(status int, p registry.SecurityProfile, c *conflict) error
	// rows are what the form says otherwise than the profile.
	rows func(registry.SecurityProfile) []conflictRow
	// write puts into the store what judge has read.
	write func(registry.SecurityProfile) error
}

// saveAttempts bounds how often a save is tried again because something that does
// not concern it was saved in between.
const saveAttempts = 5

// save saves a form over p, unless somebody else saved something else in its place
// since it was opened.
func (s *Surface) save(w http.ResponseWriter, r *http.Request, v visit, p registry.SecurityProfile, f saving) error {
	for range saveAttempts {
		path := profilePath(p) + string(f.page)
		saved := f.judge(p)
		switch {
		case !f.form.OK():
			return f.show(http.StatusUnprocessableEntity, p, nil)
		case saved:
			return redirect(w, r, s.savedPath(path, p.Version)) // pressed twice
		case f.form.Get(fieldSeen) != f.mark(p):
			return s.showConflict(r.Context(), v, p, f)
		}
		err := f.write(p)
		switch {
		case err == nil:
			return redirect(w, r, s.savedPath(path, p.Version+1))
		case errors.Is(err, store.ErrNotFound):
			return noProfile()
		case !errors.Is(err, store.ErrStale):
			return err
		}
		if p, err = s.profile(r, v); err != nil {
			return err
		}
	}
	return store.ErrStale
}

// conflict is what was saved by somebody else while a form was open, beside what the
// form says.
type conflict struct {
	editor
	Path string // of the form as it is saved
	Rows []conflictRow
}

// conflictRow is a field with what both sides have in it.
type conflictRow struct {
	Label        string
	Saved, Typed []conflictEntry
}

// conflictEntry is one value; Only says that the other side does not have it so.
type conflictEntry struct {
	Value, Note string
	Address     bool
	Only        bool
}

// editor says who saved last, and when.
type editor struct {
	Who string
	At  time.Time
}

// differing keeps the rows whose sides differ.
func differing(rows ...conflictRow) []conflictRow {
	return slices.DeleteFunc(rows, func(row conflictRow) bool { return slices.Equal(row.Saved, row.Typed) })
}

// wordsRow is the row of a field that holds one text.
func wordsRow(label, saved, typed string) conflictRow {
	return conflictRow{label, []conflictEntry{{Value: saved}}, []conflictEntry{{Value: typed}}}
}

// urlsRow is the row of a list.
func urlsRow(label string, saved, typed []registry.ReturnURL) conflictRow {
	entries := func(list, other []registry.ReturnURL) []conflictEntry {
		all := make([]conflictEntry, len(list))
		for i, u := range list {
			all[i] = conflictEntry{u.Value, u.Note, true, !slices.Contains(other, u)}
		}
		return all
	}
	return conflictRow{label, entries(saved, typed), entries(typed, saved)}
}

// showConflict shows what is saved now beside what the form says. The form then
// carries the mark of what is saved now: Save goes over it, knowingly.
func (s *Surface) showConflict(ctx context.Context, v visit, p registry.SecurityProfile, f saving) error {
	editor, err := s.lastEditor(ctx, v, p, f.event)
	if err != nil {
		return err
	}
	f.form.Values.Set(fieldSeen, f.mark(p))
	return f.show(http.StatusConflict, p, &conflict{editor: editor, Path: profilePath(p) + string(f.page), Rows: f.rows(p)})
}

// lastEditor reads from the profile's events who last made a change of that kind.
func (s *Surface) lastEditor(ctx context.Context, v visit, p registry.SecurityProfile, kind audit.Kind) (editor, error) {
	events, err := s.Store.ProfileEvents(ctx, p.ID, eventsShown)
	if err != nil {
		return editor{}, err
	}
	i := slices.IndexFunc(events, func(e audit.Event) bool { return e.Kind == kind })
	if i < 0 {
		return editor{Who: "Somebody else", At: p.UpdatedAt}, nil
	}
	e := editor{Who: actor(events[i]), At: events[i].At}
	if events[i].ActorID == v.Account.ID {
		e.Who = "You, in another window,"
	}
	return e, nil
}
