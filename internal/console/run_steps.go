package console

import (
	"encoding/json"
	"slices"
	"time"

	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
	"gatelodge/internal/web"
)

// parameterWords say what a parameter is for.
var parameterWords = map[string]string{
	"client_id":             "Which application asks.",
	"redirect_uri":          "Where the browser comes back to. Your application sends one of its allowed return URLs; this run comes back to the console.",
	"response_type":         "A code, to be turned into tokens out of the browser’s sight.",
	"scope":                 "What the application asks the user for.",
	"state":                 "A value of the application’s own. It comes back unchanged, which ties the answer to this browser.",
	"code_challenge":        "The digest of a verifier that only the application knows (PKCE).",
	"code_challenge_method": "How the digest was made.",
	"code_verifier":         "The verifier itself: whoever stole the code does not have it.",
	"code":                  "Good once, and for five minutes.",
	"iss":                   "Which server answers, so that an application with several does not mix them up (RFC 9207).",
	"grant_type":            "What is turned into tokens.",
	"refresh_token":         "Good until the user takes back what was allowed.",
	"token":                 "The token to end, and all others of the same code with it.",
	"access_token":          "The token to look at.",
	"client_assertion":      "Signed with the application’s key for this one request.",
	"error":                 "What went wrong, for the application.",
	"error_description":     "What went wrong, for its developer.",
}

func fieldViews(parameters []parameter, variables map[string]string) (views []fieldView) {
	for _, p := range parameters {
		views = append(views, newFieldView(p.name, p.in(variables), parameterWords[p.name]))
	}
	return views
}

const (
	authorizeTitle = "Ask the user"
	answerTitle    = "Take the answer"
	authorizeWords = "The application sends the user’s browser to this address. In this run you were the user."
)

func authorizeStep(a application, run run) stepView {
	c := a.authorize()
	variables := map[string]string{
		varReturnURL: run.Variables[varReturnURL], varState: run.Variables[varState], varChallenge: challenge(run.Variables[varVerifier]),
	}
	return stepView{
		Title: authorizeTitle, Words: authorizeWords,
		Request: &requestView{Method: c.method, Address: c.url, Whole: c.address(variables), Fields: fieldViews(c.query, variables)},
		Code:    a.code("", c),
	}
}

// answerStep is what the browser brought back.
func answerStep(p registry.SecurityProfile, run run) stepView {
	view := stepView{Title: answerTitle, Words: "The browser came back to the return URL with this in its address.",
		Checks: []string{"The state is the one that was sent."}}
	find := func(name string) string {
		i := slices.IndexFunc(run.Answer, func(a answered) bool { return a.Name == name })
		if i < 0 {
			return ""
		}
		return run.Answer[i].Value
	}
	for _, a := range run.Answer {
		words := parameterWords[a.Name]
		if a.Name == "scope" {
			words = "What the user allowed: it may be less than was asked for."
		}
		view.Answer = append(view.Answer, newFieldView(a.Name, a.Value, words))
	}
	switch {
	case find("error") != "":
		view.Problem = problemOf(p, find("error"))
	case find("code") == "":
		view.Problem = &web.Flash{Kind: web.Danger, Title: "There is no code in the answer", Detail: "Run the flow again."}
	case run.Dialect == oauth.Standard:
		view.Checks = append(view.Checks, "The answer is of the server that was asked (iss).")
	}
	return view
}

// plan says what a run will do.
func plan(p registry.SecurityProfile) []planned {
	if p.Settings.Kind == registry.Service {
		return []planned{{stepTitles[stepService][0], stepTitles[stepService][1]}}
	}
	return []planned{
		{authorizeTitle, "Your browser goes to the authorization endpoint, as a user’s would. You see the consent page, unless you have allowed the same before."},
		{answerTitle, "You come back here, not to your application: its return URLs stay as they are."},
		{stepTitles[stepExchange][0], stepTitles[stepExchange][1]},
		{stepTitles[stepUser][0], stepTitles[stepUser][1]},
		{"Refresh and revoke", "As often as you like."},
	}
}

// titles of the steps that are requests, and what they are for.
var stepTitles = map[step][2]string{
	stepExchange: {"Exchange the code", "The application turns the code into tokens, with a request of its own and not by way of the browser’s address."},
	stepService:  {"Get a token", "The service gets an access token for itself. No user is asked."},
	stepInfo:     {"Look at the token", "What the access token is, and for whom it was made. Whoever takes tokens from elsewhere has to compare aud with its own client ID."},
	stepUser:     {"Read the profile", "What the user allowed the application to know."},
	stepRefresh:  {"Refresh", "Later, and as often as needed: another access token, without the user."},
	stepRevoke:   {"Revoke", "The application gives back what it no longer needs. All tokens of this code end."},
}

// madeStep is a request that was made. After revocation the next one has to fail.
func madeStep(p registry.SecurityProfile, a application, m made, revoked bool) stepView {
	c := a.call(m.Step, m.Variables)
	view := stepView{
		Title: stepTitles[m.Step][0], Words: stepTitles[m.Step][1],
		Request: requestOf(c, m.Variables), Response: newResponseView(m), Code: a.code("", c),
	}
	if m.problem() != "" {
		if revoked {
			view.Title, view.Words = "Ask once more", "The same request with the access token that has just ended."
			view.Notes = []string{"Refused, as it has to be: the token is good for nothing any more."}
			view.Response.Kind = web.Info
			return view
		}
		view.Problem = problemOf(p, m.problem())
		return view
	}
	switch m.Step {
	case stepExchange, stepService, stepRefresh:
		view.Notes, view.Decoded = tokenNotes(a, m), decodeIDToken(m)
	case stepRevoke:
		view.Notes = []string{"There is no body. The status says that the token is good no more."}
	}
	return view
}

func requestOf(c call, variables map[string]string) *requestView {
	view := &requestView{Method: c.method, Address: c.url}
	switch c.as {
	case basic:
		view.Fields = append(view.Fields, fieldView{Name: "Authorization", Value: "Basic ••••••••", Words: "Client ID and client secret."})
	case bearer:
		view.Fields = append(view.Fields, newFieldView("Authorization", "Bearer "+variables[varAccess], "The access token."))
	}
	view.Fields = append(view.Fields, fieldViews(slices.Concat(c.query, c.form), variables)...)
	return view
}

func tokenNotes(a application, m made) (notes []string) {
	var tokens struct {
		ExpiresIn int    `json:"expires_in"`
		Refresh   string `json:"refresh_token"`
		IDToken   string `json:"id_token"`
	}
	if json.Unmarshal([]byte(m.Body), &tokens) != nil {
		return nil
	}
	if tokens.ExpiresIn > 0 {
		notes = append(notes, "The access token is good until "+clock(time.Unix(m.At, 0).Add(time.Duration(tokens.ExpiresIn)*time.Second))+".")
	}
	switch {
	case m.Step == stepService:
		notes = append(notes, "There is no refresh token: a service simply asks again.")
	case tokens.Refresh == "":
		notes = append(notes, "There is no refresh token: on these paths an application without a secret gets none. On those under /oauth2 it does.")
	case a.kind.Public() && a.dialect == oauth.Standard:
		notes = append(notes, "The refresh token is good for one use: each answer brings the next one.")
	default:
		notes = append(notes, "The refresh token stays the same. Keep it as you keep the secret.")
	}
	if tokens.IDToken != "" {
		notes = append(notes, "The ID token is signed with a key from "+a.issuer+"/oauth2/jwks. Have your library check signature, iss, aud and exp.")
	}
	return notes
}

// mend says what to do about an error, by its code.
var mend = map[string]string{
	"access_denied":           "You pressed Cancel. An application takes that for an answer: it tells the user how to go on without, and does not ask again by itself.",
	"invalid_grant":           "The code or refresh token is used up, too old, or no longer allowed. A code is good once: when it comes a second time, all tokens that it gave end as well. Run the flow again for a new one.",
	"invalid_client":          "Client ID and client secret do not fit each other, or the secret has ended.",
	"invalid_scope":           "One of the scopes does not exist, or this profile may not ask for it.",
	"unauthorized_client":     "The profile’s kind or state does not allow this request. Look at its Settings, and at whether it is suspended.",
	"insufficient_scope":      "The token is good, but not for this: ask for the scope that the answer names.",
	"invalid_token":           "The access token has ended, or the user took back what was allowed.",
	"server_error":            "Our turn. Try again after a while.",
	"temporarily_unavailable": "Our turn. Try again in a moment: the code has not been used up.",
}

// problemOf is what the page says of an error. The words for the wire are few on purpose;
// those for the owner stand under Activity.
func problemOf(p registry.SecurityProfile, code string) *web.Flash {
	flash := &web.Flash{Kind: web.Danger, Title: "Refused: " + clip(code), Detail: mend[code]}
	if code == string(oauth.AccessDenied) {
		flash.Kind, flash.Title = web.Info, "The user did not allow it"
		return flash
	}
	if flash.Detail == "" {
		flash.Detail = "The answer names what is wrong with the request."
	}
	flash.Links = []web.Link{{Text: "The reason in words, under Activity", URL: profilePath(p) + string(tabActivity) + "#refusals"}}
	return flash
}

// plannedSteps are the requests of a profile whose run cannot be made here.
func (s *Surface) plannedSteps(p registry.SecurityProfile, d oauth.Dialect) []stepView {
	if p.Settings.Kind == registry.Service {
		a := s.application(p, d, value{})
		return []stepView{plannedStep("step-1", a, stepTitles[stepService], a.clientCredentials())}
	}
	a := s.application(p, d, held(varReturnURL), registry.OpenID, previewScope)
	return []stepView{
		plannedStep("step-1", a, [2]string{authorizeTitle, "The application sends the user’s browser to this address."}, a.authorize()),
		plannedStep("step-2", a, stepTitles[stepExchange], a.exchange()),
		plannedStep("step-3", a, stepTitles[stepUser], a.userInfo()),
		plannedStep("step-4", a, stepTitles[stepRefresh], a.refresh()),
		plannedStep("step-5", a, stepTitles[stepRevoke], a.revoke(varRefresh)),
	}
}

func plannedStep(id string, a application, words [2]string, c call) stepView {
	view := stepView{ID: id, Open: true, Title: words[0], Words: words[1], Request: &requestView{Method: c.method, Address: c.url}, Code: a.code(id, c)}
	for _, parameter := range slices.Concat(c.query, c.form) {
		text := parameter.text
		if parameter.variable != "" {
			text = "$" + parameter.variable
		}
		view.Request.Fields = append(view.Request.Fields, newFieldView(parameter.name, text, parameterWords[parameter.name]))
	}
	if c.as == bearer {
		view.Request.Fields = append(view.Request.Fields, fieldView{Name: "Authorization", Value: "Bearer $" + varAccess, Words: "The access token."})
	}
	return view
}
