package console

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
	"gatelodge/internal/web"
)

type runPage struct {
	Head head
	Path string
	Kind registry.Kind
	// Notice says why there is no run, nil where there is one.
	Notice *web.Flash
	// Begin is the form that begins a run, nil on pages of one and where there can be none.
	Begin     *beginView
	Steps     []stepView
	Languages []language
	Values    []fieldView
	// Shell are the values as lines for a shell.
	Shell  string
	Secret *web.Secret
	Next   *nextView
	Again  string
}

// beginView is the form that begins a run.
type beginView struct {
	Form      *web.Form
	Dialect   string
	Words     string
	Dialects  []web.Tab
	Scopes    []choiceView
	ScopesErr string
	Address   string
	Password  *passwordView
	Plan      []planned
	// Button leads to the Login button, for kinds that have one.
	Button string
	// UsesSecret: the run needs the client secret.
	UsesSecret bool
}

// planned is a step that is still to come.
type planned struct{ Title, Words string }

// passwordView asks for the password once more.
type passwordView struct{ Error string }

// nextView is what can be done now.
type nextView struct {
	Run, Path                 string
	Exchange, Refresh, Revoke bool
}

// stepView is one exchange, as the application sees it.
type stepView struct {
	ID, Title, Words string
	// Open: it has just been made, the ones before are folded up.
	Open     bool
	Request  *requestView
	Answer   []fieldView
	Checks   []string
	Response *responseView
	Decoded  []decodedView
	Notes    []string
	Problem  *web.Flash
	Code     []codeView
}

type requestView struct {
	Method, Address string
	// Whole is the address with everything in it, for one that a browser opens.
	Whole  string
	Fields []fieldView
}

type responseView struct {
	Status      string
	Kind        web.Kind
	Header      []answered
	Body, Whole string
}

// fieldView is a name with its value, shortened in the middle where it is long.
type fieldView struct {
	Name, Value, Whole, Words string
	// Copy offers the whole value to take away.
	Copy bool
}

// decodedView is one part of an ID token, read.
type decodedView struct{ Title, JSON string }

type language struct {
	ID, Name string
	Chosen   bool
}

type codeView struct{ ID, Language, Name, Code string }

const fieldLanguage = "language"

func languages(chosen string) []language {
	all := []language{{ID: "curl", Name: "curl"}, {ID: "go", Name: "Go"}, {ID: "python", Name: "Python"}, {ID: "javascript", Name: "JavaScript"}}
	i := max(0, slices.IndexFunc(all, func(l language) bool { return l.ID == chosen }))
	all[i].Chosen = true
	return all
}

// code is a call in every language.
func (a application) code(id string, c call) []codeView {
	curl := c.curl()
	if c.opens {
		curl = makeStateCommand + "\n" + curl
		if a.proves() {
			curl = makeVerifierCommand + "\n" + curl
		}
	}
	return []codeView{
		{id + "-curl", "curl", "curl", curl}, {id + "-go", "go", "Go", a.golang(c)},
		{id + "-python", "python", "Python", c.python()}, {id + "-javascript", "javascript", "JavaScript", a.javascript(c)},
	}
}

// runStart is what the page that begins a run is shown with.
type runStart struct {
	dialect  dialectChoice
	form     *web.Form
	password *passwordView
}

func (s *Surface) renderRunStart(w http.ResponseWriter, r *http.Request, v visit, p registry.SecurityProfile, status int, start runStart) error {
	page := runPage{Head: newHead(p, tabRun), Path: runPath(p), Kind: p.Settings.Kind}
	if page.Notice = notRunnable(p, v.now); page.Notice != nil {
		if p.Settings.Kind != registry.Device {
			page.Steps = s.plannedSteps(p, start.dialect.dialect)
			page.Languages = languages("")
		}
		return s.renderRunPage(w, r, v, status, page)
	}
	scopes, err := s.runScopes(r.Context(), p)
	if err != nil {
		return err
	}
	a := s.application(p, start.dialect.dialect, held(varReturnURL))
	page.Begin = &beginView{
		Form: start.form, Dialect: start.dialect.name, Words: start.dialect.words, Address: a.authorizeURL(), Password: start.password, UsesSecret: a.usesSecret(),
	}
	if p.Settings.Kind == registry.Service {
		page.Begin.Address = a.tokenURL()
		_, atHome, err := s.home(r, v.User)
		if err != nil {
			return err
		}
		if !v.Session.Recent(v.now) && page.Begin.Password == nil && !atHome {
			page.Begin.Password = &passwordView{}
		}
	}
	page.Begin.Plan = plan(p)
	if p.Settings.Kind == registry.Web || p.Settings.Kind == registry.SinglePage {
		page.Begin.Button = profilePath(p) + string(tabLoginButton)
	}
	for _, d := range dialectChoices {
		page.Begin.Dialects = append(page.Begin.Dialects, web.Tab{
			Text: d.text, URL: runPath(p) + "?" + url.Values{fieldDialect: {d.name}}.Encode(), Current: d.name == start.dialect.name,
		})
	}
	chosen := []string{previewScope}
	if start.dialect.dialect == oauth.Standard {
		chosen = append(chosen, registry.OpenID, "email")
	}
	if start.form.Values.Has(fieldDialect) {
		chosen = start.form.Values[fieldScope]
	}
	for _, scope := range scopes {
		page.Begin.Scopes = append(page.Begin.Scopes, choiceView{
			Value: scope.Name, Label: scope.Name, Words: scope.Label, Chosen: slices.Contains(chosen, scope.Name),
		})
	}
	if e, ok := start.form.Err(fieldScope); ok {
		page.Begin.ScopesErr = e.Message
	}
	return s.renderRunPage(w, r, v, status, page)
}

func (s *Surface) renderRunPage(w http.ResponseWriter, r *http.Request, v visit, status int, page runPage) error {
	return s.render(w, r, v, status, "run", "Run the flow · "+page.Head.Name, nil, page)
}

// renderRunLost is the page for an answer that no run of this page can go on with.
func (s *Surface) renderRunLost(w http.ResponseWriter, r *http.Request, v visit, p registry.SecurityProfile, cause error) error {
	notice := &web.Flash{Kind: web.Danger}
	switch {
	case errors.Is(cause, errNotARun):
		notice.Title = "The state is not one that this page sent"
		notice.Detail = "An application stops here: an answer with another state than its own may have been planted by somebody else. The code was not used."
	case errors.Is(cause, errRunOfOther):
		notice.Title = "This run was begun by another account, or for another profile"
		notice.Detail = "It can only be gone on with by whoever began it, at the profile for which it was begun. The code was not used."
	case errors.Is(cause, errMixUp):
		notice.Title = "The answer does not name this server"
		notice.Detail = "An application stops here: iss has to be " + s.Issuer + ", or the answer may be another server’s (RFC 9207). The code was not used."
	case errors.Is(cause, errRunOver):
		notice.Title = "This run began more than an hour ago"
		notice.Detail = "Nothing was sent. Codes end after five minutes, and a run after an hour."
	default:
		return cause
	}
	page := runPage{Head: newHead(p, tabRun), Path: runPath(p), Kind: p.Settings.Kind, Again: runPath(p), Notice: notice}
	return s.renderRunPage(w, r, v, http.StatusUnprocessableEntity, page)
}

// renderRun shows all exchanges of a run, those made before this request folded up.
func (s *Surface) renderRun(w http.ResponseWriter, r *http.Request, v visit, p registry.SecurityProfile, run run, before int) error {
	page := runPage{
		Head: newHead(p, tabRun), Path: runPath(p), Kind: p.Settings.Kind, Languages: languages(r.PostFormValue(fieldLanguage)),
		Again: runPath(p) + "?" + url.Values{fieldDialect: {nameOfDialect(run.Dialect)}}.Encode(),
	}
	a := s.runner(p, run)
	if run.Answer != nil {
		page.Steps = append(page.Steps, authorizeStep(a, run), answerStep(p, run))
		if len(run.Made) > 0 {
			before += len(page.Steps)
		}
	}
	revoked := false
	for _, m := range run.Made {
		page.Steps = append(page.Steps, madeStep(p, a, m, revoked))
		revoked = revoked || m.Step == stepRevoke && m.Status == http.StatusOK
	}
	for i := range page.Steps {
		page.Steps[i].ID, page.Steps[i].Open = "step-"+strconv.Itoa(i+1), i >= before
		for j := range page.Steps[i].Code {
			page.Steps[i].Code[j].ID = page.Steps[i].ID + "-" + page.Steps[i].Code[j].Language
		}
	}
	page.Values, page.Shell = heldValues(run.Variables)
	if secrets := byUse(p.Secrets, v.now); a.usesSecret() && len(secrets) > 0 {
		page.Secret = &web.Secret{
			ID: "run-secret", Label: "Client Secret", HideURL: runPath(p),
			Action: profilePath(p) + "/secrets/" + strconv.FormatInt(secrets[0].ID, 10) + "/show",
		}
	}
	if offered := run.offered(); len(offered) > 0 {
		sealed, err := s.sealRun(run, v.now)
		if err != nil {
			return err
		}
		page.Next = &nextView{
			Run: sealed, Path: runPath(p), Exchange: slices.Contains(offered, stepExchange),
			Refresh: slices.Contains(offered, stepRefresh), Revoke: slices.Contains(offered, stepRevoke),
		}
	}
	return s.renderRunPage(w, r, v, http.StatusOK, page)
}

func nameOfDialect(d oauth.Dialect) string {
	i := slices.IndexFunc(dialectChoices, func(c dialectChoice) bool { return c.dialect == d })
	return dialectChoices[max(i, 0)].name
}

// heldValues are the variables of the code, in the order in which a run gets them.
func heldValues(variables map[string]string) (views []fieldView, shell string) {
	var b strings.Builder
	for _, name := range []string{varReturnURL, varState, varVerifier, varCode, varAccess, varRefresh, varIDToken} {
		if text := variables[name]; text != "" {
			view := newFieldView(name, text, "")
			view.Copy = true
			views = append(views, view)
			b.WriteString("export " + name + "=" + shellQuote(text) + "\n")
		}
	}
	return views, b.String()
}

// longest is how much of a value is shown whole. Addresses are: one reads them.
const longest = 48

func newFieldView(name, text, words string) fieldView {
	v := fieldView{Name: name, Value: text, Whole: text, Words: words}
	if runes := []rune(text); len(runes) > longest && !strings.Contains(text, "://") || len(runes) > 10*longest {
		v.Value, v.Copy = string(runes[:16])+"…"+string(runes[len(runes)-6:]), true
	}
	return v
}

var longToken = regexp.MustCompile(`("(?:access_token|refresh_token|id_token)": ")([^"]{20})[^"]{20,}([^"]{8}")`)

func newResponseView(m made) *responseView {
	view := &responseView{
		Status: strconv.Itoa(m.Status) + " " + http.StatusText(m.Status), Kind: web.Success, Header: m.Header, Body: m.Body, Whole: m.Body,
	}
	if m.Status >= http.StatusBadRequest {
		view.Kind = web.Danger
	}
	var b bytes.Buffer
	if json.Indent(&b, []byte(m.Body), "", "  ") == nil {
		view.Whole = b.String()
		view.Body = longToken.ReplaceAllString(view.Whole, "$1$2…$3")
	}
	return view
}

// decodeIDToken reads header and claims of the ID token in an answer. Nothing is
// checked here: that is for the application's library.
func decodeIDToken(m made) (views []decodedView) {
	var answer struct {
		IDToken string `json:"id_token"`
	}
	if json.Unmarshal([]byte(m.Body), &answer) != nil {
		return nil
	}
	parts := strings.Split(answer.IDToken, ".")
	if len(parts) != 3 {
		return nil
	}
	for i, title := range []string{"Header of the ID token", "Claims of the ID token"} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		var b bytes.Buffer
		if err != nil || json.Indent(&b, raw, "", "  ") != nil {
			return nil
		}
		views = append(views, decodedView{title, b.String()})
	}
	return views
}

// clock is a moment of a run.
func clock(at time.Time) string { return at.UTC().Format("15:04:05 UTC") }
