package signin

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"golang.org/x/oauth2"

	"gatelodge/internal/account"
	"gatelodge/internal/region"
	"gatelodge/internal/seal"
	"gatelodge/internal/session"
	"gatelodge/internal/web"
)

const (
	withPath   = session.SignInPath + "/with"
	returnPath = region.ReturnPath
	joinPath   = session.SignInPath + "/join"
	endedPath  = region.EndedPath

	// regionTime is how long the way through a neighbour may take: somebody may make
	// an account there, and look for a mail.
	regionTime = time.Hour
	// typedInCookie is how much of what was typed before fits in a cookie.
	typedInCookie = 3 << 10
)

// regionFlow is a sign-in that goes by way of a neighbour. It travels sealed, as the
// parameter state.
type regionFlow struct {
	Region string `json:"r"`
	// Browser is the digest of the browser's cookie: an answer counts nowhere else.
	Browser  []byte `json:"b"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
	To       string `json:"t,omitempty"`
	Country  string `json:"c,omitempty"`
	// Again is the account that has to show once more that it is its person, 0 for an
	// ordinary sign-in.
	Again int64 `json:"a,omitempty"`
	At    int64 `json:"at"` // Unix seconds
}

func (f regionFlow) ask(state string) region.Ask {
	return region.Ask{State: state, Nonce: f.Nonce, Verifier: f.Verifier, Again: f.Again != 0}
}

// WithRegion is the page from which somebody signs in by way of a neighbour.
func WithRegion(name string, query url.Values) string {
	return withPath + "/" + name + "?" + query.Encode()
}

// withPage says where the account of somebody lives, before they go there.
type withPage struct {
	Region  region.Region
	Here    region.Region
	Country string // whose developers live there, in words; "" when nobody asked for one
	Code    string // of the country
	To      destination
	Again   bool
	As      *web.AccountBadge
}

// doors are the neighbours that the sign-in page offers.
func (s *Surface) doors() []region.Region {
	if s.Regions == nil {
		return nil
	}
	return s.Regions.Doors()
}

// orElsewhere is said of every wrong password alike: that an address has its account
// elsewhere is nothing that a stranger may learn.
func (s *Surface) orElsewhere() string {
	if len(s.doors()) == 0 {
		return ""
	}
	return " If your account lives in another region, sign in with it below."
}

func (s *Surface) toSignIn(w http.ResponseWriter, r *http.Request) error {
	http.Redirect(w, r, session.SignInPath, http.StatusSeeOther)
	return nil
}

// allowRegions lets the forms of a page lead to the neighbours.
func (s *Surface) allowRegions(w http.ResponseWriter) {
	for _, n := range s.doors() {
		web.AllowFormAction(w, n.Issuer)
	}
}

// abroad gives the neighbour that a country is at home in.
func (s *Surface) abroad(country string) (region.Region, bool) {
	if s.Regions == nil {
		return region.Region{}, false
	}
	return s.Regions.Home(country)
}

func (s *Surface) neighbour(r *http.Request) (region.Region, error) {
	name := r.PathValue("region")
	doors := s.doors()
	i := slices.IndexFunc(doors, func(n region.Region) bool { return n.Name == name })
	if i < 0 {
		return region.Region{}, web.NotFound("There is no region of this name.", web.Link{Text: "Sign in", URL: session.SignInPath})
	}
	return doors[i], nil
}

func (s *Surface) withForm(w http.ResponseWriter, r *http.Request) error {
	n, err := s.neighbour(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	return s.showWith(w, r, n, toDestination(q.Get("continue")), q.Get("country"), q.Has("again"))
}

func (s *Surface) showWith(w http.ResponseWriter, r *http.Request, n region.Region, to destination, country string, again bool) error {
	to.keepOpener(w)
	s.allowRegions(w)
	allowApplication(w, to)
	p := withPage{Region: n, Here: s.Regions.This, To: to, As: s.Sessions.Badge(r), Again: again}
	title := "Sign in with your account of " + n.Title
	if again {
		title = "Confirm that it is you"
	} else if code, err := account.ParseCountry(country); err == nil && slices.Contains(n.Countries, code) {
		p.Country, p.Code = account.CountryName(code), code
		title = "Your account lives in " + n.Title
	}
	return s.narrow(w, r, http.StatusOK, "sign_in_with", title, nil, p)
}

// beginWith sends the browser to the neighbour.
func (s *Surface) beginWith(w http.ResponseWriter, r *http.Request) error {
	n, err := s.neighbour(r)
	if err != nil {
		return err
	}
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	to := toDestination(form.Get("continue"))
	to.keepOpener(w)
	flow := regionFlow{
		Region: n.Name, Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), To: string(to), Country: form.Get("country"), At: s.Now().Unix(),
	}
	if len(flow.Country) > 2 {
		flow.Country = ""
	}
	again := false
	switch u, err := s.Sessions.Current(r); {
	case err == nil && form.Values.Has("again"):
		flow.Again = u.Account.ID
		again = true
	case err == nil:
		// Who is signed in and signs in means to: an application may ask for it.
		again = true
	case !errors.Is(err, session.ErrNone) && !errors.Is(err, session.ErrExpired):
		return err
	}
	flow.Browser = s.regionBrowser(w, r)
	state, err := s.sealFlow(flow)
	if err != nil {
		return err
	}
	s.keepTyped(w, form.Values.Get("typed"))
	ask := flow.ask(state)
	ask.Again = again
	address, err := s.Regions.Begin(r.Context(), n, ask)
	if err != nil {
		return regionFailure(n, err, to)
	}
	s.allowRegions(w)
	allowApplication(w, to)
	http.Redirect(w, r, address, http.StatusSeeOther)
	return nil
}

// sealFlow gives the parameter state. A way back that is too long for it is left out.
func (s *Surface) sealFlow(flow regionFlow) (string, error) {
	for {
		plain, err := json.Marshal(flow)
		if err != nil {
			return "", err
		}
		sealed, err := s.View.Keys().Seal(nil, seal.Region, s.Now(), plain)
		if errors.Is(err, seal.ErrTooLong) && flow.To != "" {
			flow.To = ""
			continue
		}
		return string(sealed), err
	}
}

// openFlow reads the parameter state. It counts only in the browser that began, and for
// a time.
func (s *Surface) openFlow(r *http.Request, state string) (regionFlow, region.Region, error) {
	var f regionFlow
	plain, err := s.View.Open(r.Context(), seal.Region, state)
	if err == nil {
		err = json.Unmarshal(plain, &f)
	}
	n, known := s.Regions.Named(f.Region)
	if err != nil || !known || !s.sameBrowser(r, f.Browser) || s.Now().Sub(time.Unix(f.At, 0)) > regionTime {
		return f, n, &web.Error{
			Status: http.StatusBadRequest, Title: "This sign-in was not begun here",
			Detail: "It was begun in another browser, more than an hour ago, or not by you. Nobody was signed in.",
			Turn:   web.YourTurn, Next: "Sign in once more.", Links: []web.Link{{Text: "Sign in", URL: session.SignInPath}}, Err: err,
		}
	}
	return f, n, nil
}

// regionFailure is the page for what the neighbour did not do.
func regionFailure(n region.Region, err error, to destination) error {
	tryAgain := web.Link{Text: "Try again", URL: to.Via(withPath + "/" + n.Name)}
	if _, ok := errors.AsType[*region.UnreachableError](err); ok {
		return &web.Error{
			Status: http.StatusServiceUnavailable, Title: n.Title + " does not answer now",
			Detail: "Your account lives there, so you cannot be signed in with it until " + n.Host() + " answers. Nothing is wrong with your account, and whoever is signed in here already stays so.",
			Turn:   web.OurTurn, Next: "Try again in a minute.", Links: []web.Link{tryAgain}, RetryAfter: 10 * time.Second, Err: err,
		}
	}
	if errors.Is(err, region.ErrRefused) {
		return &web.Error{
			Status: http.StatusBadRequest, Title: "This sign-in cannot be used",
			Detail: "It was used already, or does not belong to this browser. Nobody was signed in.",
			Turn:   web.YourTurn, Next: "Sign in once more.", Links: []web.Link{tryAgain}, Err: err,
		}
	}
	return err
}

func (s *Surface) regionCookie() string {
	if s.Sessions.Secure {
		return "__Host-gatelodge_region"
	}
	return "gatelodge_region"
}

func (s *Surface) typedCookie() string { return s.regionCookie() + "_typed" }

func (s *Surface) setCookie(w http.ResponseWriter, name, value string, age int) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: age, HttpOnly: true, Secure: s.Sessions.Secure, SameSite: http.SameSiteLaxMode,
	})
}

// regionBrowser marks the browser, and gives the digest of the mark. One that is marked
// keeps its mark, so that two tabs can sign in at once.
func (s *Surface) regionBrowser(w http.ResponseWriter, r *http.Request) []byte {
	value := rand.Text()
	if c, err := r.Cookie(s.regionCookie()); err == nil && len(c.Value) == len(value) {
		value = c.Value
	}
	s.setCookie(w, s.regionCookie(), value, int(regionTime.Seconds()))
	digest := sha256.Sum256([]byte(value))
	return digest[:16]
}

func (s *Surface) sameBrowser(r *http.Request, digest []byte) bool {
	c, err := r.Cookie(s.regionCookie())
	if err != nil {
		return false
	}
	mine := sha256.Sum256([]byte(c.Value))
	return len(digest) == 16 && [16]byte(digest) == [16]byte(mine[:16])
}

// keepTyped keeps what was typed before the session ran out while its person is at the
// neighbour. A picture is too large for that.
func (s *Surface) keepTyped(w http.ResponseWriter, typed string) {
	if typed == "" || len(typed) > typedInCookie {
		return
	}
	if _, err := base64.RawURLEncoding.DecodeString(typed); err != nil {
		return // not what a sealed form looks like, nor what a cookie may hold
	}
	s.setCookie(w, s.typedCookie(), typed, int(regionTime.Seconds()))
}

// takeTyped gives back what keepTyped has kept, once.
func (s *Surface) takeTyped(w http.ResponseWriter, r *http.Request) string {
	c, err := r.Cookie(s.typedCookie())
	if err != nil {
		return ""
	}
	s.setCookie(w, s.typedCookie(), "", -1)
	return c.Value
}
