package provider

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"gatelodge/internal/audit"
	"gatelodge/internal/oauth"
	"gatelodge/internal/oidc"
	"gatelodge/internal/registry"
	"gatelodge/internal/session"
	"gatelodge/internal/signing"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

// logoutRequest is a request for sign-out that has been verified.
type logoutRequest struct {
	profile *registry.SecurityProfile // nil when no application is named
	// to is where the browser goes afterwards, if goes.
	to    oauth.RedirectURI
	goes  bool
	state string
	// hint is an ID token of profile's, if hinted.
	hint   hint
	hinted bool
}

// logoutRefusal is a request for sign-out that is answered with a page: the address
// that it names, if any, is a stranger's (CVE-2021-29456).
type logoutRefusal struct {
	words   string // for everybody
	reason  string // for the profile's owner
	profile *registry.SecurityProfile
	sent    string
	nearest string
}

func (e *logoutRefusal) Error() string { return "provider: refused to sign out: " + e.words }

// logout is RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0 section 2).
func (p *Provider) logout(w http.ResponseWriter, r *http.Request) error {
	values, malformed := url.ParseQuery(strings.ReplaceAll(r.URL.RawQuery, ";", "%3B"))
	if r.Method == http.MethodPost {
		form, err := web.ParseForm(r)
		if err != nil {
			return err
		}
		values, malformed = form.Values, nil
	}
	q, err := p.readLogout(r, values)
	if err == nil && malformed != nil {
		err = &logoutRefusal{words: "The request has a malformed percent-encoding.", profile: q.profile}
	}
	if err != nil {
		return p.refuseLogout(w, r, err)
	}
	if r.Method == http.MethodPost {
		// Of another site's form the browser keeps the cookies back: it comes again by
		// GET, as to the authorization endpoint.
		to := logoutPath + "?" + values.Encode()
		if len(to) > maxAddress {
			return p.refuseLogout(w, r, &logoutRefusal{words: "The request is too long.", profile: q.profile})
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
		return nil
	}
	u, err := p.Sessions.Current(r)
	switch {
	case errors.Is(err, session.ErrNone), errors.Is(err, session.ErrExpired):
		return p.signedOut(w, r, q)
	case err != nil:
		return err
	case r.Method == http.MethodGet && p.mayEnd(q, u):
		// The application holds an ID token of this very session: nobody else could ask.
		if err := p.Sessions.End(w, r); err != nil {
			return err
		}
		return p.signedOut(w, r, q)
	}
	return p.askLogout(w, r, q, u)
}

// mayEnd reports whether the request proves that it comes from an application that
// the user of the session signed in to. All others are asked about (section 2).
func (p *Provider) mayEnd(q *logoutRequest, u session.User) bool {
	return q.hinted && q.hint.Subject == p.userID(q.profile, u.Account.ID) &&
		(q.hint.SessionID == "" || q.hint.SessionID == p.sessionID(q.profile.ID, u.Session.ID))
}

// readLogout verifies a request. Its errors are *logoutRefusal, or what went wrong
// with the database.
func (p *Provider) readLogout(r *http.Request, values url.Values) (*logoutRequest, error) {
	sent, perr := oidc.ParseLogoutRequest(values)
	if perr != nil {
		return nil, &logoutRefusal{words: words(perr)}
	}
	q := &logoutRequest{state: sent.State}
	clientID := sent.ClientID
	if sent.IDTokenHint != "" {
		var err error
		if q.hint, err = p.readHint(r.Context(), sent.IDTokenHint); err != nil && !errors.Is(err, signing.ErrInvalid) {
			return nil, err
		}
		if q.hinted = err == nil; q.hinted && clientID == "" {
			clientID = q.hint.client()
		}
	}
	if clientID != "" {
		key, err := p.Namespace.ParseClientID(clientID)
		if err == nil {
			q.profile, err = p.View.Client(r.Context(), key)
		} else {
			err = store.ErrNotFound
		}
		if errors.Is(err, store.ErrNotFound) {
			return nil, &logoutRefusal{words: "No application has the client ID that was sent. It may have been deleted."}
		}
		if err != nil {
			return nil, err
		}
	}
	switch {
	case q.hinted && clientID != q.hint.client():
		return nil, &logoutRefusal{words: "The client_id and the id_token_hint are of different applications.", profile: q.profile}
	case sent.IDTokenHint != "" && !q.hinted:
		// Section 4: what cannot be verified is not used. The user is asked instead.
		p.refuse(r, q.profile, audit.Refusal{Endpoint: r.URL.Path, Code: string(oauth.InvalidRequest),
			Words: "The id_token_hint is not an ID token that was signed here, so the user was asked whether to sign out."})
	}
	if sent.PostLogoutRedirectURI == "" {
		return q, nil
	}
	if q.profile == nil {
		return nil, &logoutRefusal{words: "The request names an address to go to after sign-out, and neither a client_id nor a valid id_token_hint that says whose it is.", sent: sent.PostLogoutRedirectURI}
	}
	to, err := registry.MatchPostLogoutURL(q.profile.PostLogoutURLs, sent.PostLogoutRedirectURI)
	if m, ok := errors.AsType[*registry.ReturnURLMismatch](err); ok {
		return nil, &logoutRefusal{
			words:  q.profile.Name + " asked to send you to an address after sign-out that its developer has not registered for that. Addresses are compared exactly, letter by letter.",
			reason: "The post_logout_redirect_uri is not one of the registered addresses. " + m.Words, profile: q.profile, sent: m.Sent, nearest: m.Nearest,
		}
	}
	if err != nil {
		return nil, err
	}
	if !q.profile.SuspendedAt.IsZero() {
		return nil, &logoutRefusal{words: "The operator has suspended " + q.profile.Name + ": nobody is sent there.", profile: q.profile}
	}
	q.to, q.goes = to, true
	return q, nil
}

type logoutData struct {
	Application string
	Account     *web.AccountBadge
	Host        string
	Fields      []oauth.Pair
}

// askLogout asks the user whether to sign out.
func (p *Provider) askLogout(w http.ResponseWriter, r *http.Request, q *logoutRequest, u session.User) error {
	d := logoutData{Account: u.Badge()}
	if q.profile != nil {
		d.Application = q.profile.Name
		d.Fields = append(d.Fields, oauth.Pair{Name: "client_id", Value: p.Namespace.ClientID(q.profile.Client)})
	}
	if q.goes {
		d.Host = q.to.Host()
		d.Fields = append(d.Fields, oauth.Pair{Name: "post_logout_redirect_uri", Value: q.to.String()}, oauth.Pair{Name: "state", Value: q.state})
		allowLeaving(w, q.to)
	}
	return p.pages.Render(w, r, http.StatusOK, "logout", web.Page{Title: "Sign out?", Narrow: true, Account: u.Badge(), Data: d})
}

// confirmLogout takes the user's yes.
func (p *Provider) confirmLogout(w http.ResponseWriter, r *http.Request) error {
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	q, err := p.readLogout(r, form.Values)
	if err != nil {
		return p.refuseLogout(w, r, err)
	}
	if err := p.Sessions.End(w, r); err != nil {
		return err
	}
	if !q.goes {
		http.Redirect(w, r, logoutPath, http.StatusSeeOther)
		return nil
	}
	allowLeaving(w, q.to)
	return p.signedOut(w, r, q)
}

// signedOut is where a user without a session goes on to (section 3).
func (p *Provider) signedOut(w http.ResponseWriter, r *http.Request, q *logoutRequest) error {
	if q.goes {
		redirect(w, r, q.to.With(oauth.Pair{Name: "state", Value: q.state}))
		return nil
	}
	return p.pages.Render(w, r, http.StatusOK, "logout_done", web.Page{Title: "You are signed out", Narrow: true})
}

type logoutRefusedData struct {
	Reason, Sent, RequestID string
	Account                 *web.AccountBadge
}

func (p *Provider) refuseLogout(w http.ResponseWriter, r *http.Request, err error) error {
	e, ok := errors.AsType[*logoutRefusal](err)
	if !ok {
		return err
	}
	reason := e.reason
	if reason == "" {
		reason = e.words
	}
	p.refuse(r, e.profile, audit.Refusal{Endpoint: logoutPath, Code: string(oauth.InvalidRequest), Words: reason, Sent: cut(e.sent), Nearest: e.nearest})
	badge := p.Sessions.Badge(r)
	return p.pages.Render(w, r, http.StatusBadRequest, "logout_refused", web.Page{
		Title: "You cannot be signed out in this way", Narrow: true, Account: badge,
		Data: logoutRefusedData{Reason: e.words, Sent: e.sent, RequestID: web.RequestID(r.Context()), Account: badge},
	})
}
