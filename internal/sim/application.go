package sim

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/audit"
	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
	"gatelodge/internal/store"
)

// Application is a registered application that speaks plain HTTP, in the way that
// published clients of Login with Amazon do. [Sample] uses a library instead.
type Application struct {
	ID, Secret string
	ReturnURL  string
	Profile    registry.SecurityProfile
	// Owner is the account of its developer.
	Owner account.Account

	world *World
}

// NewApplication registers an application of a developer of its own, by way of the
// store. Without return URLs it has one of its own, where it shows an empty page.
func (w *World) NewApplication(returnURLs ...string) *Application {
	w.t.Helper()
	w.mu.Lock()
	w.apps++
	n := w.apps
	w.mu.Unlock()
	if len(returnURLs) == 0 {
		host := fmt.Sprintf("app-%d.example", n)
		w.Host(host, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		returnURLs = []string{"https://" + host + "/return"}
	}
	by := audit.By{At: time.Now()}
	email := fmt.Sprintf("developer-%d@example.com", n)
	owner, err := w.Store.CreateAccount(w.t.Context(), store.NewAccount{
		Email: email, EmailKey: account.EmailKey(email), Name: fmt.Sprintf("Developer %d", n), Confirmed: by.At,
		Developer: &store.NewDeveloper{Company: fmt.Sprintf("Company %d", n), Country: "US"},
	}, by)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.register(owner, returnURLs)
}

// NewApplication registers an application of the person's, who is a developer.
func (p *Person) NewApplication(returnURLs ...string) *Application {
	p.world.t.Helper()
	owner, err := p.world.Store.Account(p.world.t.Context(), p.ID)
	if err != nil {
		p.world.t.Fatal(err)
	}
	return p.world.register(owner, returnURLs)
}

// Sibling registers another application of the same developer.
func (a *Application) Sibling(returnURLs ...string) *Application {
	a.world.t.Helper()
	return a.world.register(a.Owner, returnURLs)
}

func (w *World) register(owner account.Account, returnURLs []string) *Application {
	w.t.Helper()
	developer, err := w.Store.DeveloperOf(w.t.Context(), owner.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	a := &Application{Secret: registry.NewClientSecret(Namespace), ReturnURL: returnURLs[0], Owner: owner, world: w}
	n := store.NewProfile{
		DeveloperID: developer.ID, Secret: a.Secret,
		Form: registry.ProfileForm{
			Name: "Video Report Downloader", Description: "Downloads the daily reports", PrivacyURL: "https://slate.example/privacy",
		},
	}
	for _, u := range returnURLs {
		n.ReturnURLs = append(n.ReturnURLs, registry.ReturnURL{Value: u})
	}
	if a.Profile, err = w.Store.CreateProfile(w.t.Context(), n, a.by()); err != nil {
		w.t.Fatal(err)
	}
	a.ID = registry.Namespace(Namespace).ClientID(a.Profile.Client)
	return a
}

// Become changes what kind of application it is.
func (a *Application) Become(k registry.Kind) {
	a.world.t.Helper()
	a.Set(func(s *registry.Settings) { s.Kind = k })
}

// Set changes the application's settings.
func (a *Application) Set(change func(*registry.Settings)) {
	a.world.t.Helper()
	p, _, err := a.world.Store.ProfileByID(a.world.t.Context(), a.Profile.ID)
	if err != nil {
		a.world.t.Fatal(err)
	}
	change(&p.Settings)
	if err := a.world.Store.SaveSettings(a.world.t.Context(), p.DeveloperID, p.ID, p.Version, p.Settings, p.PostLogoutURLs, a.by()); err != nil {
		a.world.t.Fatal(err)
	}
}

// SetPostLogoutURLs says where its users may be sent to after sign-out.
func (a *Application) SetPostLogoutURLs(urls ...string) {
	a.world.t.Helper()
	p, _, err := a.world.Store.ProfileByID(a.world.t.Context(), a.Profile.ID)
	if err != nil {
		a.world.t.Fatal(err)
	}
	var all []registry.ReturnURL
	for _, u := range urls {
		all = append(all, registry.ReturnURL{Value: u})
	}
	if err := a.world.Store.SaveSettings(a.world.t.Context(), p.DeveloperID, p.ID, p.Version, p.Settings, all, a.by()); err != nil {
		a.world.t.Fatal(err)
	}
}

// AllowOrigins replaces the application's Allowed Origins.
func (a *Application) AllowOrigins(origins ...string) {
	a.world.t.Helper()
	p, _, err := a.world.Store.ProfileByID(a.world.t.Context(), a.Profile.ID)
	if err != nil {
		a.world.t.Fatal(err)
	}
	p.Origins = nil
	for _, o := range origins {
		p.Origins = append(p.Origins, registry.AllowedOrigin{Value: o})
	}
	if err := a.world.Store.SaveWebSettings(a.world.t.Context(), p.DeveloperID, p.ID, p.Version, p.Origins, p.ReturnURLs, a.by()); err != nil {
		a.world.t.Fatal(err)
	}
}

// In gives the application in another world on the same database: a replica.
func (a *Application) In(w *World) *Application {
	replica := *a
	replica.world = w
	return &replica
}

func (a *Application) by() audit.By { return audit.By{AccountID: a.Owner.ID, At: time.Now()} }

// AddSecret makes a second live secret.
func (a *Application) AddSecret() string {
	a.world.t.Helper()
	value := registry.NewClientSecret(Namespace)
	if _, err := a.world.Store.AddSecret(a.world.t.Context(), a.Profile.DeveloperID, a.Profile.ID, value, a.by()); err != nil {
		a.world.t.Fatal(err)
	}
	return value
}

// EndSecret ends the first secret now.
func (a *Application) EndSecret() {
	a.world.t.Helper()
	if err := a.world.Store.EndSecret(a.world.t.Context(), a.Profile.DeveloperID, a.Profile.ID, a.Profile.Secrets[0].ID, time.Now(), a.by()); err != nil {
		a.world.t.Fatal(err)
	}
}

// Suspend takes the application out of service, as the operator can.
func (a *Application) Suspend() {
	a.world.t.Helper()
	if err := a.world.Store.SetProfileSuspended(a.world.t.Context(), a.Profile.ID, time.Now(), a.by()); err != nil {
		a.world.t.Fatal(err)
	}
}

// Delete deletes the application's security profile.
func (a *Application) Delete() {
	a.world.t.Helper()
	if err := a.world.Store.DeleteProfile(a.world.t.Context(), a.Profile.DeveloperID, a.Profile.ID, a.by()); err != nil {
		a.world.t.Fatal(err)
	}
}

// Omit, as a value, leaves a parameter out.
const Omit = "\x00omit"

// with sets pairs of names and values.
func with(values url.Values, pairs []string) url.Values {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == Omit {
			values.Del(pairs[i])
		} else {
			values.Set(pairs[i], pairs[i+1])
		}
	}
	return values
}

// AuthorizePath is where a dialect's authorization requests go.
func AuthorizePath(d oauth.Dialect) string {
	if d == Amazon {
		return "/ap/oa"
	}
	return "/oauth2/authorize"
}

// TokenPath is a dialect's token endpoint.
func TokenPath(d oauth.Dialect) string {
	if d == Amazon {
		return "/auth/o2/token"
	}
	return "/oauth2/token"
}

// AuthorizeURL is an authorization request for the scope profile. Pairs of names
// and values change its parameters.
func (a *Application) AuthorizeURL(d oauth.Dialect, pairs ...string) string {
	return AuthorizePath(d) + "?" + with(url.Values{
		"client_id": {a.ID}, "redirect_uri": {a.ReturnURL}, "response_type": {"code"}, "scope": {"profile"}, "state": {"s t&a=te"},
	}, pairs).Encode()
}

// Received gives what came to the return URL: a form, or what the page's address
// brought in the fragment or else in the query.
func (a *Application) Received(p *Page) (url.Values, bool) {
	if !strings.HasPrefix(p.URL.String(), a.ReturnURL) {
		return nil, false
	}
	if p.Posted != nil {
		return p.Posted, true
	}
	if p.URL.Fragment == "" {
		return p.URL.Query(), true
	}
	values, err := url.ParseQuery(p.URL.EscapedFragment())
	return values, err == nil
}

// Redeem exchanges a code, with the secret in the body. Pairs of names and values
// change the parameters.
func (a *Application) Redeem(d oauth.Dialect, code string, pairs ...string) Answer {
	a.world.t.Helper()
	return a.world.Post(TokenPath(d), a.RedeemForm(code, pairs...))
}

// RedeemForm is what Redeem sends.
func (a *Application) RedeemForm(code string, pairs ...string) url.Values {
	return with(url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {a.ReturnURL}, "client_id": {a.ID}, "client_secret": {a.Secret},
	}, pairs)
}

// Refresh asks for another access token.
func (a *Application) Refresh(d oauth.Dialect, token string, pairs ...string) Answer {
	a.world.t.Helper()
	return a.world.Post(TokenPath(d), with(url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {a.ID}, "client_secret": {a.Secret},
	}, pairs))
}

// TokenInfo asks what a token is.
func (w *World) TokenInfo(token string) Answer {
	w.t.Helper()
	return w.Get("/auth/o2/tokeninfo?" + url.Values{"access_token": {token}}.Encode())
}

// UserProfile reads the user's profile with a token.
func (w *World) UserProfile(token string) Answer {
	w.t.Helper()
	return w.Get("/user/profile", "Authorization", "Bearer "+token)
}

// Text is a text member of a JSON answer, "" when it is not there.
func (a Answer) Text(name string) string {
	var members map[string]any
	if json.Unmarshal([]byte(a.Body), &members) != nil {
		return ""
	}
	s, _ := members[name].(string)
	return s
}

// Number is a number member of a JSON answer.
func (a Answer) Number(name string) float64 {
	var members map[string]any
	if json.Unmarshal([]byte(a.Body), &members) != nil {
		return 0
	}
	n, _ := members[name].(float64)
	return n
}

// String is for messages of tests: pages are cut short.
func (a Answer) String() string { return fmt.Sprintf("%d %.400s", a.Status, a.Body) }

// Verifier is a PKCE verifier, and S256 its challenge (RFC 7636 appendix B).
const Verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

// S256 makes the challenge of a verifier (RFC 7636 section 4.2).
func S256(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
