package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
	"gatelodge/internal/session"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

const (
	fieldDialect = "dialect"
	fieldScope   = "scope"
	fieldRun     = "run"
	fieldStep    = "step"
)

func runPath(p registry.SecurityProfile) string { return profilePath(p) + string(tabRun) }

// dialectChoice is a dialect as a developer chooses it.
type dialectChoice struct {
	dialect           oauth.Dialect
	name, text, words string
}

// dialectChoices are the dialects, the one to begin with first.
var dialectChoices = []dialectChoice{
	{oauth.Standard, "standard", "OAuth 2.0 and OpenID Connect", "The paths under /oauth2. Any OAuth library speaks this."},
	{oauth.LoginWithAmazon, "amazon", "Login with Amazon", "The paths and answers that applications of Login with Amazon know."},
}

func dialectNamed(name string) dialectChoice {
	i := slices.IndexFunc(dialectChoices, func(c dialectChoice) bool { return c.name == name })
	return dialectChoices[max(i, 0)]
}

// showRun is the page on which a run begins.
func (s *Surface) showRun(w http.ResponseWriter, r *http.Request, v visit) error {
	p, err := s.profile(r, v)
	if err != nil {
		return err
	}
	return s.renderRunStart(w, r, v, p, http.StatusOK, runStart{dialect: dialectNamed(r.FormValue(fieldDialect)), form: web.NewForm(nil)})
}

func (s *Surface) showRunTyped(w http.ResponseWriter, r *http.Request, v visit, typed url.Values) error {
	p, err := s.profile(r, v)
	if err != nil {
		return err
	}
	if typed == nil {
		return redirect(w, r, runPath(p))
	}
	return s.renderRunStart(w, r, v, p, http.StatusOK, runStart{dialect: dialectNamed(typed.Get(fieldDialect)), form: web.NewForm(typed)})
}

// startRun sends the browser to the authorization endpoint, as an application does with
// a user's. A service gets its token at once.
func (s *Surface) startRun(w http.ResponseWriter, r *http.Request, v visit) error {
	p, err := s.profile(r, v)
	if err != nil {
		return err
	}
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	start := runStart{dialect: dialectNamed(form.Get(fieldDialect)), form: form}
	if notRunnable(p, v.now) != nil {
		return s.renderRunStart(w, r, v, p, http.StatusConflict, start)
	}
	scopes, err := s.runScopes(r.Context(), p)
	if err != nil {
		return err
	}
	var names []string
	for _, scope := range scopes {
		switch {
		case !slices.Contains(form.Values[fieldScope], scope.Name):
		case scope.Name == registry.OpenID:
			names = slices.Insert(names, 0, scope.Name) // as everybody writes it
		default:
			names = append(names, scope.Name)
		}
	}
	run := newRun(p, v, start.dialect.dialect, names)
	if p.Settings.Kind == registry.Service {
		return s.runService(w, r, v, p, start, run)
	}
	if len(names) == 0 {
		form.Fail(fieldScope, "Tick at least one scope: a request without any is refused.")
		return s.renderRunStart(w, r, v, p, http.StatusUnprocessableEntity, start)
	}
	a := s.runner(p, run)
	if a.proves() {
		run.Variables[varVerifier] = newVerifier()
	}
	state, err := s.sealRun(run, v.now)
	if err != nil {
		return err
	}
	c := a.authorize()
	return redirect(w, r, c.address(map[string]string{
		varReturnURL: registry.RunReturnURL(s.Issuer, p.Application), varState: state,
		varChallenge: challenge(run.Variables[varVerifier]),
	}))
}

// runService gets a token for the application itself. It is one that the secret alone
// is good for, so the sign-in has to be as recent as for showing that.
func (s *Surface) runService(w http.ResponseWriter, r *http.Request, v visit, p registry.SecurityProfile, start runStart, run run) error {
	asked, err := s.confirm(r, v, start.form, runPath(p))
	if err != nil {
		return err
	}
	if asked.AtHome != "" {
		return redirect(w, r, asked.AtHome)
	}
	if !asked.OK {
		start.password = &passwordView{Error: asked.Problem}
		return s.renderRunStart(w, r, v, p, asked.Status, start)
	}
	if err := s.make(r, v, p, &run, stepService); err != nil {
		return err
	}
	if run.Variables[varAccess] != "" && run.Dialect == oauth.LoginWithAmazon {
		if err := s.make(r, v, p, &run, stepInfo); err != nil {
			return err
		}
	}
	return s.renderRun(w, r, v, p, run, 0)
}

// runReturn is the return URL of a run. Whoever has no developer account is not asked to
// make one here: it is not their run.
func (s *Surface) runReturn(w http.ResponseWriter, r *http.Request, u session.User) error {
	d, err := s.Store.DeveloperOf(r.Context(), u.Account.ID)
	if errors.Is(err, store.ErrNotFound) {
		return noRun()
	}
	if err != nil {
		return err
	}
	return s.showRunReturn(w, r, visit{User: u, developer: d, now: s.Now()})
}

func noRun() error {
	return web.NotFound("This is where a flow comes back to that a developer runs in the console, and it is none of yours. If you began it and then used another account, sign in with the first one again and run the flow once more.",
		web.Link{Text: "Your security profiles", URL: listPath})
}

// showRunReturn shows what came. The code is not used before the developer has seen it.
func (s *Surface) showRunReturn(w http.ResponseWriter, r *http.Request, v visit) error {
	p, err := s.profile(r, v)
	if e, ok := errors.AsType[*web.Error](err); ok && e.Status == http.StatusNotFound {
		return noRun()
	}
	if err != nil {
		return err
	}
	query := r.URL.Query()
	if len(query) == 0 {
		return redirect(w, r, runPath(p)) // from the sign-in page, or by hand
	}
	run, err := s.openRun(r.Context(), v, p, query.Get("state"))
	switch {
	case err == nil && run.Answer != nil:
		err = errNotARun
	case err == nil && run.Dialect == oauth.Standard && query.Get("iss") != s.Issuer:
		err = errMixUp // RFC 9207 section 2.4
	}
	if err != nil {
		return s.renderRunLost(w, r, v, p, err)
	}
	run.Answer = answers(r.URL.RawQuery)
	run.Variables[varState] = query.Get("state")
	run.Variables[varReturnURL] = registry.RunReturnURL(s.Issuer, p.Application)
	if code := query.Get("code"); code != "" {
		run.Variables[varCode] = code
	}
	return s.renderRun(w, r, v, p, run, 0)
}

// maxAnswers bounds what the page shows of a return URL that somebody made up.
const maxAnswers = 12

// answers reads the parameters of a query in the order in which they came.
func answers(query string) (all []answered) {
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, nameErr := url.QueryUnescape(name)
		value, valueErr := url.QueryUnescape(value)
		if nameErr == nil && valueErr == nil && name != "" && len(all) < maxAnswers {
			all = append(all, answered{name, value})
		}
	}
	return all
}

// stepRun makes the next requests of a run.
func (s *Surface) stepRun(w http.ResponseWriter, r *http.Request, v visit) error {
	p, err := s.profile(r, v)
	if err != nil {
		return err
	}
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	run, err := s.openRun(r.Context(), v, p, form.Get(fieldRun))
	if err == nil && run.Answer == nil {
		err = errNotARun
	}
	if err != nil {
		return s.renderRunLost(w, r, v, p, err)
	}
	if notRunnable(p, v.now) != nil {
		return redirect(w, r, runPath(p)) // its settings have changed on the way
	}
	steps, err := s.next(r.Context(), run, step(form.Get(fieldStep)))
	if err != nil {
		return err
	}
	before := len(run.Made)
	for _, st := range steps {
		if err := s.make(r, v, p, &run, st); err != nil {
			return err
		}
		if last := run.Made[len(run.Made)-1]; last.problem() != "" {
			break
		}
	}
	return s.renderRun(w, r, v, p, run, before)
}

// next are the requests that are made when a step is asked for.
func (s *Surface) next(ctx context.Context, run run, asked step) ([]step, error) {
	if !slices.Contains(run.offered(), asked) {
		return nil, nil
	}
	here, err := run.asksHere(ctx, s)
	if err != nil {
		return nil, err
	}
	switch {
	case !here:
		return []step{asked}, nil
	case asked == stepExchange && run.Dialect == oauth.LoginWithAmazon:
		return []step{asked, stepInfo, stepUser}, nil
	case asked == stepRefresh:
		return []step{asked}, nil
	default:
		return []step{asked, stepUser}, nil
	}
}

// offered are the steps that can be asked for now.
func (r run) offered() (steps []step) {
	switch {
	case r.Variables[varCode] != "" && !r.settled(stepExchange):
		return []step{stepExchange}
	case r.settled(stepRevoke):
		return nil
	}
	if r.Variables[varRefresh] != "" {
		steps = append(steps, stepRefresh)
	}
	if r.Variables[varAccess] != "" && r.Answer != nil {
		steps = append(steps, stepRevoke)
	}
	return steps
}

// notRunnable says why the console cannot play the profile's application, nil when it can.
func notRunnable(p registry.SecurityProfile, now time.Time) *web.Flash {
	settings := web.Link{Text: "Settings of the profile", URL: settingsPath(p)}
	switch {
	case p.Settings.Kind == registry.Device:
		return &web.Flash{Kind: web.Info, Title: "A device has no browser to send here",
			Detail: "It shows its user a code to enter on another screen. The requests for that stand under Web Settings, and each sort of device can have a client ID of its own.",
			Links:  []web.Link{{Text: "Web Settings", URL: webSettingsPath(p)}, {Text: "TVs and Other Devices", URL: devicesPath(p)}}}
	case p.Settings.Auth == registry.AuthKey && !p.Settings.Kind.Public():
		return &web.Flash{Kind: web.Info, Title: "Only your application can run this",
			Detail: "The profile proves itself with a private key, which never comes here. Below are its requests, to be sent from where the key is: put the signed assertion into CLIENT_ASSERTION.",
			Links:  []web.Link{settings}}
	case p.Settings.RequireDPoP:
		return &web.Flash{Kind: web.Info, Title: "Only your application can run this",
			Detail: "The profile’s token requests carry proofs of possession (DPoP), made with a key that never comes here. Below are its requests, without the proofs.",
			Links:  []web.Link{settings}}
	case p.Settings.RequirePAR:
		return &web.Flash{Kind: web.Info, Title: "Only your application can run this",
			Detail: "The profile’s authorization requests have to be pushed first, at /oauth2/par. Below are the requests that follow.",
			Links:  []web.Link{settings}}
	case !p.Settings.Kind.Public() && !slices.ContainsFunc(p.Secrets, func(c registry.ClientSecret) bool { return c.Live(now) }):
		return &web.Flash{Kind: web.Info, Title: "There is no client secret to run this with",
			Detail: "Below are the profile’s requests.", Links: []web.Link{{Text: "Web Settings", URL: webSettingsPath(p)}}}
	}
	return nil
}

// runScopes are the scopes that a run can ask for.
func (s *Surface) runScopes(ctx context.Context, p registry.SecurityProfile) ([]registry.Scope, error) {
	table, err := s.View.Scopes(ctx)
	if err != nil {
		return nil, err
	}
	var scopes []registry.Scope
	for scope := range table.All() {
		if p.MayAsk(scope) && (p.Settings.Kind != registry.Service || scope.WithoutUser) {
			scopes = append(scopes, scope)
		}
	}
	return scopes, nil
}
