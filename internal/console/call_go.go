package console

import (
	"fmt"
	"go/format"
	"slices"
	"strconv"
	"strings"

	"gatelodge/internal/oauth"
)

// golang writes a call as a program: what x/oauth2 is made for with that, all else
// with net/http.
func (a application) golang(c call) string {
	switch {
	case c.opens:
		return a.goAuthorize()
	case c.as != basic && c.sent("client_id") == "":
		return goRequest(c) // x/oauth2 does not sign assertions
	case c.sent("grant_type") == string(oauth.GrantClientCredentials):
		return a.goClientCredentials()
	case c.sent("grant_type") == string(oauth.GrantAuthorizationCode):
		return a.goExchange()
	case c.sent("grant_type") == string(oauth.GrantRefreshToken):
		return a.goRefresh()
	}
	return goRequest(c)
}

// goProgram puts a main function together. Imports are paths without quotes.
func goProgram(imports []string, body string) string {
	library := func(path string) bool { return strings.HasPrefix(path, goLibrary) }
	slices.Sort(imports)
	var b strings.Builder
	b.WriteString("package main\n\nimport (\n")
	for _, path := range slices.Compact(imports) {
		if !library(path) {
			b.WriteString(strconv.Quote(path) + "\n")
		}
	}
	b.WriteString("\n")
	for _, path := range imports {
		if library(path) {
			b.WriteString(strconv.Quote(path) + "\n")
		}
	}
	b.WriteString(")\n\nfunc main() {\n" + body + "}\n")
	program, err := format.Source([]byte(b.String()))
	if err != nil {
		return b.String() // it reads as well, and a test finds it
	}
	return string(program)
}

const goLibrary = "golang.org/x/oauth2"

const goPrintToken = `if err != nil {
	log.Fatal(err)
}
fmt.Println(token.AccessToken, token.RefreshToken, token.Expiry)
`

func goValue(v value) string {
	if v.variable != "" {
		return "os.Getenv(" + strconv.Quote(v.variable) + ")"
	}
	return strconv.Quote(v.text)
}

// goConfig is the application as x/oauth2 knows it.
func (a application) goConfig() string {
	var b strings.Builder
	fmt.Fprintf(&b, "config := &oauth2.Config{\n\tClientID: %q,\n", a.clientID)
	style := "oauth2.AuthStyleInParams"
	if a.usesSecret() {
		style = "oauth2.AuthStyleInHeader"
		b.WriteString("\tClientSecret: os.Getenv(\"" + varSecret + "\"),\n")
	}
	fmt.Fprintf(&b, "\tRedirectURL: %s,\n\tScopes: []string{%s},\n", goValue(a.returnURL), quotedList(a.scope))
	fmt.Fprintf(&b, "\tEndpoint: oauth2.Endpoint{\n\t\tAuthURL: %q,\n\t\tTokenURL: %q,\n\t\tAuthStyle: %s,\n\t},\n}\n", a.authorizeURL(), a.tokenURL(), style)
	return b.String()
}

func quotedList(texts []string) string {
	quoted := make([]string, len(texts))
	for i, t := range texts {
		quoted[i] = strconv.Quote(t)
	}
	return strings.Join(quoted, ", ")
}

func (a application) goAuthorize() string {
	body := a.goConfig()
	if !a.proves() {
		return goProgram([]string{"fmt", "os", goLibrary}, body+`state := oauth2.GenerateVerifier() // keep it: the answer must bring it back
fmt.Println("state:", state)
fmt.Println(config.AuthCodeURL(state))
`)
	}
	return goProgram([]string{"fmt", "os", goLibrary}, body+`state, verifier := oauth2.GenerateVerifier(), oauth2.GenerateVerifier() // keep both
fmt.Println("state:", state)
fmt.Println("code_verifier:", verifier)
fmt.Println(config.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier)))
`)
}

func (a application) goExchange() string {
	options := ""
	if a.proves() {
		options = `, oauth2.VerifierOption(os.Getenv("` + varVerifier + `"))`
	}
	return goProgram([]string{"context", "fmt", "log", "os", goLibrary},
		a.goConfig()+`token, err := config.Exchange(context.Background(), os.Getenv("`+varCode+`")`+options+")\n"+goPrintToken)
}

func (a application) goRefresh() string {
	return goProgram([]string{"context", "fmt", "log", "os", goLibrary},
		a.goConfig()+`old := &oauth2.Token{RefreshToken: os.Getenv("`+varRefresh+`")}
token, err := config.TokenSource(context.Background(), old).Token()
`+goPrintToken)
}

func (a application) goClientCredentials() string {
	return goProgram([]string{"context", "fmt", "log", "os", goLibrary, goLibrary + "/clientcredentials"},
		fmt.Sprintf(`config := &clientcredentials.Config{
	ClientID: %q,
	ClientSecret: os.Getenv(%q),
	TokenURL: %q,
	Scopes: []string{%s},
	AuthStyle: oauth2.AuthStyleInHeader,
}
token, err := config.Token(context.Background())
if err != nil {
	log.Fatal(err)
}
fmt.Println(token.AccessToken, token.Expiry)
`, a.clientID, varSecret, a.tokenURL(), quotedList(a.scope)))
}

// goRequest writes a call with the standard library.
func goRequest(c call) string {
	imports := []string{"io", "log", "net/http", "os"}
	var b strings.Builder
	body, address := "nil", strconv.Quote(c.url)
	if len(c.query) > 0 {
		imports = append(imports, "net/url")
		b.WriteString("query := " + goValues(c.query))
		address += `+"?"+query.Encode()`
	}
	if len(c.form) > 0 {
		imports = append(imports, "net/url", "strings")
		b.WriteString("form := " + goValues(c.form))
		body = "strings.NewReader(form.Encode())"
	}
	fmt.Fprintf(&b, "request, err := http.NewRequest(%q, %s, %s)\nif err != nil {\n\tlog.Fatal(err)\n}\n", c.method, address, body)
	switch c.as {
	case basic:
		fmt.Fprintf(&b, "request.SetBasicAuth(%q, os.Getenv(%q))\n", c.clientID, varSecret)
	case bearer:
		fmt.Fprintf(&b, "request.Header.Set(\"Authorization\", \"Bearer \"+os.Getenv(%q))\n", varAccess)
	}
	if len(c.form) > 0 {
		b.WriteString("request.Header.Set(\"Content-Type\", \"application/x-www-form-urlencoded\")\n")
	}
	b.WriteString(`response, err := http.DefaultClient.Do(request)
if err != nil {
	log.Fatal(err)
}
defer response.Body.Close()
log.Println(response.Status)
io.Copy(os.Stdout, response.Body)
`)
	return goProgram(imports, b.String())
}

func goValues(parameters []parameter) string {
	var b strings.Builder
	b.WriteString("url.Values{\n")
	for _, p := range parameters {
		fmt.Fprintf(&b, "\t%q: {%s},\n", p.name, goValue(p.value))
	}
	return b.String() + "}\n"
}
