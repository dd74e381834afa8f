package signin

import (
	"errors"
	"net/http"
	"net/url"

	"gatelodge/internal/region"
	"gatelodge/internal/session"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

// homeView is where somebody's account lives.
type homeView struct {
	Region region.Region
	// SignsInHere: it has a password here too.
	SignsInHere bool
}

// AccountURL is the account's page there.
func (h homeView) AccountURL() string { return h.Region.Issuer + accountPath }

// home gives where an account lives; ok is false for one that lives here.
func (s *Surface) home(r *http.Request, accountID int64) (h homeView, ok bool, err error) {
	if s.Regions == nil {
		return h, false, nil
	}
	home, signsInHere, err := s.Store.HomeOf(r.Context(), accountID)
	if errors.Is(err, store.ErrNotFound) {
		return h, false, nil
	}
	if err != nil {
		return h, false, err
	}
	n, known := s.Regions.At(home.Issuer)
	if !known {
		n = region.Region{Title: "another region", Issuer: home.Issuer}
	}
	return homeView{Region: n, SignsInHere: signsInHere}, true, nil
}

type atHomePage struct {
	homeView
	What string
}

// keptHere lets through who has a password here. Others are told where theirs is.
func (s *Surface) keptHere(title, what string, h session.Handler) session.Handler {
	return func(w http.ResponseWriter, r *http.Request, u session.User) error {
		home, ok, err := s.home(r, u.Account.ID)
		if err != nil {
			return err
		}
		if !ok || home.SignsInHere {
			return h(w, r, u)
		}
		status := http.StatusOK
		if r.Method == http.MethodPost {
			status = http.StatusConflict
		}
		return s.own(w, r, u, status, "account_at_home", title, nil, atHomePage{home, what})
	}
}

// confirmHere makes sure that it is the account's person: by the password, or, of who has
// none here, by a recent sign-in at home. onward, when not empty, is where they do that.
func (s *Surface) confirmHere(r *http.Request, u session.User, back string) (onward string, withoutPassword bool, err error) {
	home, ok, err := s.home(r, u.Account.ID)
	if err != nil || !ok || home.SignsInHere {
		return "", false, err
	}
	if u.Session.Recent(s.Now()) {
		return "", true, nil
	}
	return WithRegion(home.Region.Name, url.Values{"continue": {back}, "again": {"1"}}), true, nil
}

// signOutHome is the page after a sign-out, for who is still signed in at home.
type signOutHome struct {
	Region region.Region
	Here   region.Region
	URL    string
}

// homeSession gives the region in which somebody who signs out here stays signed in.
func (s *Surface) homeSession(r *http.Request) (region.Region, bool, error) {
	if s.Regions == nil {
		return region.Region{}, false, nil
	}
	u, err := s.Sessions.Current(r)
	switch {
	case errors.Is(err, session.ErrNone), errors.Is(err, session.ErrExpired):
		return region.Region{}, false, nil
	case err != nil:
		return region.Region{}, false, err
	case u.Session.HomeSession == "":
		return region.Region{}, false, nil
	}
	home, ok, err := s.home(r, u.Account.ID)
	return home.Region, ok && home.Region.Credentials.ClientID != "", err
}

func (s *Surface) signedOutHere(w http.ResponseWriter, r *http.Request, n region.Region) error {
	address, err := s.Regions.SignOutURL(r.Context(), n)
	if err != nil {
		address = n.Issuer + signOutPath // its page is there when it is
	}
	return s.narrow(w, r, http.StatusOK, "sign_out_home", "You are signed out here", nil, signOutHome{n, s.Regions.This, address})
}

// endedAtHome takes the word of a neighbour that somebody has signed out there (OpenID
// Connect Back-Channel Logout 1.0 section 2.5): sessions that began with theirs end.
func (s *Surface) endedAtHome(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "no-store")
	if err := r.ParseForm(); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return nil
	}
	h, ended, err := s.Regions.Ended(r.Context(), r.PostForm.Get("logout_token"))
	if errors.Is(err, region.ErrRefused) {
		w.WriteHeader(http.StatusBadRequest)
		return nil
	}
	if _, ok := errors.AsType[*region.UnreachableError](err); ok {
		w.WriteHeader(http.StatusServiceUnavailable) // it comes again
		return nil
	}
	if err != nil {
		return err
	}
	return s.Store.EndHomeSession(r.Context(), h, ended, s.Sessions.By(r, session.User{}, s.Now()))
}

// allowApplication lets the forms of a page lead on to an application: who has consented
// before goes straight there, and Chromium holds that redirect to the form's policy.
func allowApplication(w http.ResponseWriter, to destination) {
	if to.Authorizes() {
		web.AllowFormAction(w, "https:", "http://localhost:*", "http://127.0.0.1:*")
	}
}
