package console

import (
	"errors"
	"net/http"
	"net/url"

	"gatelodge/internal/region"
	"gatelodge/internal/session"
	"gatelodge/internal/store"
)

// withRegion is the page of another surface from which somebody signs in by way of the
// region that their account lives in.
func withRegion(n region.Region, query url.Values) string {
	return session.SignInPath + "/with/" + n.Name + "?" + query.Encode()
}

// home gives the region that an account lives in; ok is false for one that lives here,
// or has a password here all the same.
func (s *Surface) home(r *http.Request, u session.User) (n region.Region, ok bool, err error) {
	if len(s.Regions.Neighbours) == 0 {
		return n, false, nil
	}
	home, signsInHere, err := s.Store.HomeOf(r.Context(), u.Account.ID)
	if errors.Is(err, store.ErrNotFound) || err == nil && signsInHere {
		return n, false, nil
	}
	if err != nil {
		return n, false, err
	}
	n, ok = s.Regions.At(home.Issuer)
	return n, ok, nil
}

// confirmAtHome is where somebody without a password here shows once more that it is
// them, "" for everybody else. From there they come back to the page at back.
func (s *Surface) confirmAtHome(r *http.Request, v visit, back string) (string, error) {
	n, ok, err := s.home(r, v.User)
	if err != nil || !ok {
		return "", err
	}
	return withRegion(n, url.Values{"again": {"1"}, "continue": {back}}), nil
}

// abroad is the page to which a developer goes on whose country is at home in another
// region than the account, "" when they can register here.
func (s *Surface) abroad(r *http.Request, u session.User, country, onward string) (string, error) {
	n, ok := s.Regions.Home(country)
	if !ok {
		return "", nil
	}
	home, _, err := s.Store.HomeOf(r.Context(), u.Account.ID)
	switch {
	case err == nil && home.Issuer == n.Issuer:
		return "", nil
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return "", err
	}
	return withRegion(n, url.Values{"country": {country}, "continue": {onward}}), nil
}
