package provider

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/authz"
	"gatelodge/internal/live"
	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
	"gatelodge/internal/seal"
	"gatelodge/internal/signing"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

// Prefixes tell the kinds of token apart (contract.md, "Shapes").
const (
	standardAccess  = "gl_at_"
	standardRefresh = "gl_rt_"
	amazonAccess    = "Atza|"
	amazonRefresh   = "Atzr|"
	amazonClient    = "Atc|"
)

func accessPrefix(t authz.AccessToken) string {
	switch {
	case t.Dialect == oauth.Standard:
		return standardAccess
	case t.ClientOnly():
		return amazonClient
	default:
		return amazonAccess
	}
}

func refreshPrefix(d oauth.Dialect) string {
	if d == oauth.Standard {
		return standardRefresh
	}
	return amazonRefresh
}

// cutPrefix takes off whichever of the prefixes the token has: every check accepts
// the tokens of both dialects.
func cutPrefix(text string, prefixes ...string) (string, bool) {
	for _, prefix := range prefixes {
		if sealed, ok := strings.CutPrefix(text, prefix); ok {
			return sealed, true
		}
	}
	return "", false
}

// clientID is that of the profile's own client, or of one of its devices.
func (p *Provider) clientID(profile *registry.SecurityProfile, device int64) string {
	for _, d := range profile.Devices {
		if d.ID == device {
			return p.Namespace.ClientID(d.Client)
		}
	}
	return p.Namespace.ClientID(profile.Client)
}

// hasDevice reports whether tokens of a device client are still good: whoever removes
// one ends them. The profile's own client has no id.
func hasDevice(profile *registry.SecurityProfile, device int64) bool {
	return device <= 0 || slices.ContainsFunc(profile.Devices, func(d registry.DeviceClient) bool { return d.ID == device })
}

func (p *Provider) newAccessToken(t authz.AccessToken) (string, error) {
	text, err := p.View.Keys().Seal([]byte(accessPrefix(t)), seal.Access, t.IssuedAt, t.AppendBinary(make([]byte, 0, 64)))
	return string(text), err
}

// NewRefreshToken makes the text of a refresh token.
func NewRefreshToken(view *live.View, t authz.RefreshToken) (string, error) {
	sealed := view.Keys().Seal
	if t.Rotating {
		sealed = view.Keys().SealSame
	}
	text, err := sealed([]byte(refreshPrefix(t.Dialect)), seal.Refresh, t.IssuedAt, t.AppendBinary(make([]byte, 0, 64)))
	return string(text), err
}

// tokenAnswer is a successful token response (RFC 6749 section 5.1). token_type is
// in lower case: an official client compares it strictly (login-with-amazon.md
// section 7).
type tokenAnswer struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"`
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	Scope        string `json:"scope,omitempty"`
}

// tokenType says how an access token is to be presented.
func tokenType(e authz.Extra) string {
	if e.Key != (jkt{}) {
		return "DPoP" // RFC 9449 section 5
	}
	return "bearer"
}

// answer makes the access token and writes the response.
func (p *Provider) answer(w http.ResponseWriter, r *http.Request, x *exchange, given issue) error {
	access, err := p.accessToken(r.Context(), x, given)
	if err != nil {
		return p.unavailable(w, r, err)
	}
	idToken := ""
	if asksIDToken(given.scopes) {
		if idToken, err = p.newIDToken(r.Context(), x, given, access); err != nil {
			return p.unavailable(w, r, err)
		}
	}
	p.View.Used(x.client.ID, x.secret, given.grantID, x.now)
	return writeJSON(w, http.StatusOK, tokenAnswer{
		AccessToken: access, TokenType: tokenType(given.extra), ExpiresIn: int(authz.AccessTokenLifetime / time.Second),
		RefreshToken: given.refresh, IDToken: idToken, Scope: given.scope,
	})
}

// accessToken makes the access token of an answer, in the form that its API wants.
func (p *Provider) accessToken(ctx context.Context, x *exchange, given issue) (string, error) {
	t := given.token(x)
	api, err := p.wantsJWT(ctx, t, x.table)
	switch {
	case errors.Is(err, errOpaque):
		return p.newAccessToken(t)
	case err != nil:
		return "", err
	}
	return p.newJWT(ctx, x, t, api, given)
}

func (given issue) token(x *exchange) authz.AccessToken {
	t := authz.AccessToken{
		GrantID: given.grantID, Family: given.family, ProfileID: x.client.ID, Scopes: given.scopes,
		Dialect: given.dialect, IssuedAt: x.now, ExpiresAt: x.now.Add(authz.AccessTokenLifetime), Extra: given.extra,
	}
	t.Extra.Audience, t.Extra.Session = given.audience, 0
	return t
}

// readyToSign makes sure that all that a grant gives can be signed: nothing that can
// fail may come after a code has been used up.
func (p *Provider) readyToSign(ctx context.Context, x *exchange, given issue) error {
	if asksIDToken(given.scopes) {
		if err := p.View.ReadyToSign(ctx, signing.Algorithm(x.client.Settings.IDTokenAlg), x.now); err != nil {
			return err
		}
	}
	api, err := p.wantsJWT(ctx, given.token(x), x.table)
	switch {
	case errors.Is(err, errOpaque):
		return nil
	case err != nil:
		return err
	}
	return p.View.ReadyToSign(ctx, signing.Algorithm(api.Settings.IDTokenAlg), x.now)
}

// bearer is an access token that was found good, with all that it hangs on.
type bearer struct {
	token   authz.AccessToken
	profile *registry.SecurityProfile
	grant   *authz.Grant     // nil for a token of the application alone
	account *account.Account // nil with it
	scopes  oauth.ScopeSet
	// table says what the scopes are.
	table *registry.Scopes
}

// checkToken finds out what an access token is good for now. Its refusals are
// *oauth.Error; they are the same whatever the reason.
func (p *Provider) checkToken(ctx context.Context, text string, now time.Time) (bearer, error) {
	bad := oauth.InvalidAccessToken()
	b := bearer{}
	var err error
	if b.token, err = p.openAccess(ctx, text, now); err != nil {
		return bearer{}, err
	}
	gone := func(err error) (bearer, error) {
		if errors.Is(err, store.ErrNotFound) {
			return bearer{}, bad
		}
		return bearer{}, err
	}
	if b.profile, err = p.View.Profile(ctx, b.token.ProfileID); err != nil {
		return gone(err)
	}
	if !b.profile.SuspendedAt.IsZero() || !hasDevice(b.profile, b.token.Extra.Device) {
		return bearer{}, bad
	}
	if b.table, err = p.View.Scopes(ctx); err != nil {
		return bearer{}, err
	}
	if b.token.ClientOnly() {
		b.scopes = b.table.Usable(b.profile, b.token.Scopes)
		return b, nil
	}
	if b.grant, err = p.View.GrantOf(ctx, b.token.GrantID, b.token.Scopes, b.token.IssuedAt, now); err != nil {
		return gone(err)
	}
	if b.grant.ProfileID != b.token.ProfileID || !b.grant.Live(b.token.Family) {
		return bearer{}, bad
	}
	if b.account, err = p.View.Account(ctx, b.grant.AccountID); err != nil {
		return gone(err)
	}
	if !b.account.DisabledAt.IsZero() {
		return bearer{}, bad
	}
	if b.scopes = b.table.Usable(b.profile, b.grant.Effective(b.token.Scopes)); b.scopes.Empty() {
		return bearer{}, bad
	}
	return b, nil
}

// wireError is an error at a token-style endpoint (RFC 6749 section 5.2), with
// Login with Amazon's member request_id.
type wireError struct {
	Description string          `json:"error_description"`
	Error       oauth.ErrorCode `json:"error"`
	RequestID   string          `json:"request_id"`
	// Interval is in what devices get: published clients look for it in every answer.
	Interval int `json:"interval,omitempty"`
}

func (p *Provider) writeError(w http.ResponseWriter, r *http.Request, status int, e *oauth.Error) error {
	p.shareError(w, r)
	return writeJSON(w, status, wireError{Description: e.Description, Error: e.Code, RequestID: web.RequestID(r.Context())})
}

// unavailable answers a failure that is ours and not the client's. 503 says that the
// request may be sent again, 500 that this would change nothing. What went wrong goes
// to the log.
func (p *Provider) unavailable(w http.ResponseWriter, r *http.Request, cause error) error {
	if errors.Is(cause, context.Canceled) && r.Context().Err() != nil {
		return cause // nobody is there any more
	}
	status, e := http.StatusInternalServerError, &oauth.Error{Code: oauth.ServerError, Description: "The server has failed"}
	if store.IsUnavailable(cause) {
		status, e = http.StatusServiceUnavailable, &oauth.Error{Code: oauth.TemporarilyUnavailable, Description: "The service is temporarily unavailable"}
		w.Header().Set("Retry-After", "1")
	}
	if err := p.writeError(w, r, status, e); err != nil {
		return errors.Join(cause, err)
	}
	return cause
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return writeBody(w, status, body)
}

// writeBody writes JSON that is not to be kept by anybody on the way.
func writeBody(w http.ResponseWriter, status int, body []byte) error {
	h := w.Header()
	h.Set("Content-Type", "application/json;charset=UTF-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	w.WriteHeader(status)
	_, err := w.Write(body)
	return err
}
