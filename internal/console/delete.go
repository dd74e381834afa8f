package console

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

const (
	fieldConfirm = "confirm"
	labelConfirm = "Type delete to confirm"
	deleteWord   = "delete"
)

// deleteProfile ends a profile for good. It cannot be undone, so a word has to be
// typed.
func (s *Surface) deleteProfile(w http.ResponseWriter, r *http.Request, v visit) error {
	p, err := s.profile(r, v)
	if err != nil {
		return err
	}
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	if form.Get(fieldConfirm) != deleteWord {
		form.Fail(fieldConfirm, "Type the word “delete”, in lower case, to delete the profile. Nothing was deleted.")
		return s.renderGeneral(w, r, v, http.StatusUnprocessableEntity, p, generalPage{Form: generalForm(p), Delete: form}, nil)
	}
	err = s.Store.DeleteProfile(r.Context(), v.developer.ID, p.ID, s.Sessions.By(r, v.User, v.now))
	if errors.Is(err, store.ErrNotFound) {
		return noProfile()
	}
	if err != nil {
		return err
	}
	return redirect(w, r, listPath+"?"+url.Values{deletedParam: {strconv.FormatInt(s.Now().UnixMilli(), 10)}}.Encode())
}
