package provider

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"gatelodge/internal/audit"
	"gatelodge/internal/oauth"
	"gatelodge/internal/oidc"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

// authorize is the authorization endpoint (RFC 6749 section 3.1) in one dialect.
func (p *Provider) authorize(d oauth.Dialect) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		// Clients leave a semicolon as it is; the parser takes it for an error.
		values, malformed := url.ParseQuery(strings.ReplaceAll(r.URL.RawQuery, ";", "%3B"))
		if r.Method == http.MethodPost {
			form, err := web.ParseForm(r)
			if err != nil {
				return err
			}
			values, malformed = form.Values, nil
		}
		p.keepOpener(w, r, values.Get("redirect_uri"))
		if id, ok := pushedID(values, d); ok {
			return p.authorizePushed(w, r, values, id)
		}
		q, err := p.verify(r.Context(), values, d)
		if err == nil && malformed != nil {
			err = q.reject(&oauth.Error{Code: oauth.InvalidRequest, Description: "The request has a malformed percent-encoding"})
		}
		if err == nil && q.profile.Settings.RequirePAR {
			// RFC 9126 section 6. On both paths, or the other one would be the way around.
			err = q.reject(&oauth.Error{Code: oauth.InvalidRequest, Description: "A pushed authorization request is required",
				Reason: "The settings of this profile require pushed authorization requests (PAR), and this one came by the browser alone."})
		}
		if err != nil {
			return p.turnAway(w, r, err)
		}
		if r.Method == http.MethodPost {
			// The form may be another site's: browsers leave the cookies out of it, so
			// nothing is decided and no cookie is set here. The browser comes back by
			// GET with all of them.
			to := r.URL.Path + "?" + values.Encode()
			if len(to) > maxAddress {
				return p.turnAway(w, r, q.tooLong())
			}
			http.Redirect(w, r, to, http.StatusSeeOther)
			return nil
		}
		return p.goOn(w, r, q)
	}
}

// goOn is dispatch, where a failure of ours may be for the application to hear.
func (p *Provider) goOn(w http.ResponseWriter, r *http.Request, q *request) error {
	if err := p.dispatch(w, r, q); err != nil {
		return p.turnAway(w, r, interrupt(err, q.prompt, q.target()))
	}
	return nil
}

// interruption is a failure of ours that the application is told of: with prompt=none
// nobody sits before the page. Who does is better served by a page with Try again.
type interruption struct {
	cause error
	target
}

func (e *interruption) Error() string { return e.cause.Error() }
func (e *interruption) Unwrap() error { return e.cause }

// interrupt makes an interruption out of what went wrong after the return URL was
// found good, if there is nobody to see a page.
func interrupt(err error, prompt oidc.Prompt, t target) error {
	if _, page := errors.AsType[*web.Error](err); page || !prompt.Has(oidc.PromptNone) || errors.Is(err, context.Canceled) {
		return err
	}
	return &interruption{err, t}
}

// turnAway answers the error of an authorization request, in the way that is safe.
func (p *Provider) turnAway(w http.ResponseWriter, r *http.Request, err error) error {
	if e, ok := errors.AsType[*unsafeTarget](err); ok {
		return p.refusedPage(w, r, e)
	}
	if e, ok := errors.AsType[*rejection](err); ok {
		p.refuse(r, e.profile, audit.Refusal{Endpoint: r.URL.Path, Code: string(e.cause.Code), Words: words(e.cause)})
		return p.redirectError(w, r, e)
	}
	if e, ok := errors.AsType[*interruption](err); ok {
		// RFC 6749 section 4.1.2.1: a status cannot be sent by a redirect.
		cause := &oauth.Error{Code: oauth.ServerError, Description: "The server has failed"}
		if store.IsUnavailable(err) {
			cause = &oauth.Error{Code: oauth.TemporarilyUnavailable, Description: "The service is temporarily unavailable"}
		}
		return errors.Join(err, p.redirectError(w, r, &rejection{cause: cause, target: e.target}))
	}
	return err
}

// target is where the answer to an authorization request goes, and how.
type target struct {
	redirect oauth.RedirectURI
	mode     oauth.ResponseMode
	state    string
	dialect  oauth.Dialect
}

// redirectError sends an error to the application (RFC 6749 section 4.1.2.1), in
// the order of parameters that Login with Amazon has (login-with-amazon.md section 6).
func (p *Provider) redirectError(w http.ResponseWriter, r *http.Request, e *rejection) error {
	return p.respond(w, r, e.target,
		oauth.Pair{Name: "error_description", Value: e.cause.Description},
		oauth.Pair{Name: "state", Value: e.state},
		oauth.Pair{Name: "error", Value: string(e.cause.Code)},
		oauth.Pair{Name: "iss", Value: p.issuerFor(e.dialect)},
	)
}

// respond sends an authorization response to the application.
func (p *Provider) respond(w http.ResponseWriter, r *http.Request, t target, pairs ...oauth.Pair) error {
	switch t.mode {
	case oauth.ModeFormPost:
		return p.formPost(w, r, t, pairs)
	case oauth.ModeFragment:
		redirect(w, r, t.redirect.WithFragment(pairs...))
	default:
		redirect(w, r, t.redirect.With(pairs...))
	}
	return nil
}

// redirect leaves for the return URL. The address is set as it is: http.Redirect
// would clean its path, and the application compares bytes.
func redirect(w http.ResponseWriter, r *http.Request, to string) {
	w.Header().Set("Location", to)
	if r.Method == http.MethodPost {
		w.WriteHeader(http.StatusSeeOther)
		return
	}
	w.WriteHeader(http.StatusFound)
}
