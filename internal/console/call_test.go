package console

import (
	"context"
	"go/parser"
	"go/token"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
)

// calls are all requests of applications of each sort, by name.
func calls() map[string]func() (application, call) {
	all := map[string]func() (application, call){}
	for name, a := range map[string]application{
		"web":            {},
		"web-amazon":     {dialect: oauth.LoginWithAmazon},
		"key":            {auth: registry.AuthKey},
		"single-page":    {kind: registry.SinglePage},
		"native":         {kind: registry.Native},
		"native-amazon":  {kind: registry.Native, dialect: oauth.LoginWithAmazon},
		"service":        {kind: registry.Service},
		"service-scopes": {kind: registry.Service, scope: []string{"it's:a$scope", `with"quote\`}},
	} {
		a.issuer, a.clientID = testIssuer, "amzn1.application-oa2-client.0123"
		a.returnURL, a.state = held(varReturnURL), held(varState)
		if a.scope == nil {
			a.scope = []string{"openid", "profile"}
		}
		made := map[string]call{"client-credentials": a.clientCredentials()}
		if a.kind != registry.Service {
			made = map[string]call{
				"authorize": a.authorize(), "exchange": a.exchange(), "refresh": a.refresh(), "user": a.userInfo(),
				"info": a.tokenInfo(), "revoke": a.revoke(varRefresh),
			}
		}
		for step, c := range made {
			all[name+"-"+step] = func() (application, call) { return a, c }
		}
	}
	return all
}

// TestCodeIsRead has the readers of each language read all code that the console writes,
// each once: starting them takes longer than reading.
func TestCodeIsRead(t *testing.T) {
	folder := t.TempDir()
	scripts := map[string][]string{}
	write := func(language, name, text string) {
		t.Helper()
		file := filepath.Join(folder, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		scripts[language] = append(scripts[language], file)
	}
	endings := map[string]string{"curl": ".sh", "go": ".go", "python": ".py", "javascript": ".mjs"}
	for name, made := range calls() {
		a, c := made()
		for _, code := range a.code(name, c) {
			if code.Language == "go" {
				if _, err := parser.ParseFile(token.NewFileSet(), name, code.Code, parser.AllErrors); err != nil {
					t.Errorf("%s: %v\n%s", name, err, code.Code)
				}
				// All of them in one package, to be compiled at once.
				code.Code = strings.Replace(code.Code, "func main()", "func "+strings.ReplaceAll(name, "-", "_")+"()", 1)
			}
			write(code.Language, strings.ReplaceAll(name, "-", "_")+"_program"+endings[code.Language], code.Code)
		}
	}
	write("go", "main.go", "package main\n\nfunc main() {}\n")
	for language, reader := range map[string][]string{
		"go":         {"go", "vet"}, // the libraries are those of our own tests
		"curl":       {"bash", "-c", `set -e; for script; do bash -n "$script"; done`, "bash"},
		"python":     {"python3", "-c", "import ast, sys\nfor f in sys.argv[1:]: ast.parse(open(f).read(), f)"},
		"javascript": {"node", "--no-warnings", "--experimental-vm-modules", "-e", `for (const f of process.argv.slice(1)) new vm.SourceTextModule(fs.readFileSync(f, "utf8"), { identifier: f })`},
	} {
		t.Run(language, func(t *testing.T) {
			if _, err := exec.LookPath(reader[0]); err != nil {
				t.Skipf("%s is not installed", reader[0])
			}
			if out, err := exec.CommandContext(t.Context(), reader[0], append(reader[1:], scripts[language]...)...).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

// TestCurlSendsTheCall: what a shell makes of the command is what the console sends.
func TestCurlSendsTheCall(t *testing.T) {
	variables := map[string]string{
		varCode: "a code&b=c", varVerifier: "verifier", varReturnURL: "https://app.example/it's?a=b", varRefresh: "Atzr|x", varAccess: "Atza|y",
		varSecret: "secret", varAssertion: "e.y.J", varState: "st&te", varChallenge: "chall",
	}
	for name, made := range calls() {
		_, c := made()
		if c.opens {
			continue
		}
		t.Run(name, func(t *testing.T) {
			sh := exec.CommandContext(t.Context(), "sh", "-euc", `curl() { printf '%s\0' "$@"; }`+"\n"+c.curl())
			for k, v := range variables {
				sh.Env = append(sh.Env, k+"="+v)
			}
			out, err := sh.Output()
			if err != nil {
				t.Fatal(err)
			}
			want, err := c.request(t.Context(), variables)
			if err != nil {
				t.Fatal(err)
			}
			got := curled(t, strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"))
			if diff := cmp.Diff(read(t, want), read(t, got)); diff != "" {
				t.Errorf("(-console +curl)\n%s", diff)
			}
		})
	}
}

// curled makes the request that curl would make.
func curled(t *testing.T, args []string) *http.Request {
	t.Helper()
	method, inQuery := http.MethodGet, false
	values, header := url.Values{}, http.Header{}
	user, address := "", ""
	for i := 0; i < len(args); i++ {
		next := func() string { i++; return args[i] }
		switch args[i] {
		case "--get":
			inQuery = true
		case "--user":
			user = next()
		case "--header":
			name, value, _ := strings.Cut(next(), ": ")
			header.Set(name, value)
		case "--data", "--data-urlencode":
			name, value, _ := strings.Cut(next(), "=")
			values.Add(name, value)
		default:
			address = args[i]
		}
	}
	var body io.Reader
	switch {
	case inQuery:
		address += "?" + values.Encode()
	case len(values) > 0:
		method, body = http.MethodPost, strings.NewReader(values.Encode())
		header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r, err := http.NewRequestWithContext(context.Background(), method, address, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header
	if name, password, ok := strings.Cut(user, ":"); ok {
		r.SetBasicAuth(name, password)
	}
	return r
}

type sent struct {
	Method, Address string
	Header          http.Header
	Form            url.Values
}

func read(t *testing.T, r *http.Request) sent {
	t.Helper()
	if err := r.ParseForm(); err != nil {
		t.Fatal(err)
	}
	return sent{r.Method, r.URL.Scheme + "://" + r.URL.Host + r.URL.Path, r.Header, r.Form}
}

// TestCodeHoldsNoSecret: the code reads from variables whatever is secret.
func TestCodeHoldsNoSecret(t *testing.T) {
	ada := newWorld(t).developerNamed("Ada")
	profile := ada.profileNamed("App", "https://app.example/return")
	page := ada.get(runPath(profile)).want(200, "Run the flow", "OAuth 2.0 and OpenID Connect", "Login with Amazon", "openid", "postal_code", "/login-button")
	ada.get(profilePath(profile)+"/login-button").want(200, `href="`+runPath(profile)+`"`)
	page.body = html.UnescapeString(page.body)
	page.lacks("amzn1.oa2-cs", "/run/return")
	for name, made := range calls() {
		a, c := made()
		for _, code := range a.code(name, c) {
			for _, v := range c.variables() {
				if c.opens && v != varReturnURL {
					continue // made by the code itself
				}
				if !strings.Contains(code.Code, v) {
					t.Errorf("%s in %s does not read %s:\n%s", name, code.Language, v, code.Code)
				}
			}
		}
	}
}
