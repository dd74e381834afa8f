package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"gatelodge/internal/registry"
	"gatelodge/internal/web"
)

const (
	fieldAddress = "address"
	labelAddress = "Address from the browser"
	// addressMaxBytes: a return URL, a code and a state at their longest.
	addressMaxBytes = registry.ReturnURLMaxBytes + 1024 + 3*4096 + 256
)

// pastedView is the help for return URLs at which nothing listens: the address
// goes in, the finished command comes out.
type pastedView struct {
	Form     *web.Form
	Exchange string
	// State is what came with the code, for the developer to compare.
	State string
}

// pastedCode takes the code out of a pasted address. It comes in the body of a
// request and goes out in the body of the answer: nothing of it is stored or logged.
func (s *Surface) pastedCode(w http.ResponseWriter, r *http.Request, v visit) error {
	p, err := s.profile(r, v)
	if err != nil {
		return err
	}
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	page, err := s.webSettings(r.Context(), v, p)
	if err != nil {
		return err
	}
	page.Pasted.Form = form
	found, problem := parsePasted(form.Get(fieldAddress), p.ReturnURLs)
	if problem != "" {
		form.Fail(fieldAddress, problem)
		return s.renderWebSettings(w, r, v, http.StatusUnprocessableEntity, page, nil)
	}
	page.Pasted.Exchange = s.applicationByHand(p, found.ReturnURL).exchange().with(varCode, found.Code).curl()
	page.Pasted.State = found.State
	return s.renderWebSettings(w, r, v, http.StatusOK, page, nil)
}

// pasted is what an address tells: the code, and which return URL it was sent to.
type pasted struct{ Code, State, ReturnURL string }

// parsePasted reads the address that the browser was sent back to. Browsers show
// https://localhost as https://localhost/, so path "/" and none are the same here;
// the exchange needs the registered spelling.
func parsePasted(address string, allowed []registry.ReturnURL) (found pasted, problem string) {
	switch {
	case address == "":
		return found, "Paste the whole address that the browser shows after Allow, such as https://localhost/?code=…"
	case len(address) > addressMaxBytes:
		return found, "This is longer than any address with a code. Paste the address alone."
	}
	if len(allowed) == 1 && isBareCode(address) {
		return pasted{Code: address, ReturnURL: allowed[0].Value}, ""
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme == "" || u.Host == "" && u.Path == "" { // an app's own scheme has no host
		return found, "Paste the whole address, from https:// to its end; this one cannot be read."
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return found, "The part after “?” is damaged. Copy the whole address once more."
	}
	i := slices.IndexFunc(allowed, func(a registry.ReturnURL) bool { return isAnswerTo(a.Value, u, query) })
	if i < 0 {
		return found, "This address is none of the profile’s allowed return URLs. Paste the one that the browser was sent back to."
	}
	found = pasted{Code: query.Get("code"), State: query.Get("state"), ReturnURL: allowed[i].Value}
	switch {
	case found.Code != "":
		return found, ""
	case query.Get("error") == "access_denied":
		return found, "There is no code in it: the user pressed Cancel. Open the authorization URL again and press Allow."
	case query.Has("error"):
		return found, "There is no code in it but an error. The Activity tab says in words what was wrong with the request."
	}
	return found, "There is no code in this address. Copy it after pressing Allow, with everything after “?”."
}

// isBareCode reports whether somebody pasted the code alone: 18 URL-safe characters
// or more, and no address.
func isBareCode(s string) bool {
	const urlSafe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	return len(s) >= 18 && strings.Trim(s, urlSafe) == ""
}

// isAnswerTo reports whether u is the return URL with an answer's parameters added.
func isAnswerTo(returnURL string, u *url.URL, query url.Values) bool {
	registered, err := url.Parse(returnURL)
	if err != nil {
		return false
	}
	path := func(u *url.URL) string {
		if p := u.EscapedPath(); p != "" {
			return p
		}
		return "/"
	}
	if !strings.EqualFold(registered.Scheme, u.Scheme) || !strings.EqualFold(registered.Host, u.Host) || path(registered) != path(u) {
		return false
	}
	for name, values := range registered.Query() {
		if !slices.Equal(query[name], values) {
			return false
		}
	}
	return true
}
