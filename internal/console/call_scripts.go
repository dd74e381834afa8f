package console

import (
	"encoding/json"
	"strings"

	"gatelodge/internal/registry"
)

// scriptText quotes a text for Python and JavaScript, which both read a JSON string.
func scriptText(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return `""` // a string can always be encoded
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// members writes parameters as the lines of a dict or an object.
func members(parameters []parameter, indent string, held func(string) string) string {
	var b strings.Builder
	for _, p := range parameters {
		v := scriptText(p.text)
		if p.variable != "" {
			v = held(p.variable)
		}
		b.WriteString(indent + scriptText(p.name) + ": " + v + ",\n")
	}
	return b.String()
}

func pythonHeld(name string) string { return "os.environ[" + scriptText(name) + "]" }

// python writes a call for the library requests.
func (c call) python() string {
	if c.opens {
		return c.pythonAuthorize()
	}
	var b strings.Builder
	b.WriteString("import os\n\nimport requests\n\nanswer = requests." + strings.ToLower(c.method) + "(\n    " + scriptText(c.url) + ",\n")
	switch c.as {
	case basic:
		b.WriteString("    auth=(" + scriptText(c.clientID) + ", " + pythonHeld(varSecret) + "),\n")
	case bearer:
		b.WriteString("    headers={\"Authorization\": \"Bearer \" + " + pythonHeld(varAccess) + "},\n")
	}
	if len(c.query) > 0 {
		b.WriteString("    params={\n" + members(c.query, "        ", pythonHeld) + "    },\n")
	}
	if len(c.form) > 0 {
		b.WriteString("    data={\n" + members(c.form, "        ", pythonHeld) + "    },\n")
	}
	b.WriteString("    timeout=10,\n)\nprint(answer.status_code, answer.text)\n")
	return b.String()
}

func (c call) pythonAuthorize() string {
	imports, made := "", "state = secrets.token_urlsafe(24)  # keep it: the answer must bring it back\nprint(\"state:\", state)\n"
	names := map[string]string{varState: "state", varChallenge: "challenge"}
	for _, p := range c.query {
		if p.variable == varChallenge {
			imports = "import base64\nimport hashlib\n"
			made += "verifier = secrets.token_urlsafe(48)  # keep it: the exchange needs it\nprint(\"code_verifier:\", verifier)\n" +
				"digest = hashlib.sha256(verifier.encode()).digest()\nchallenge = base64.urlsafe_b64encode(digest).rstrip(b\"=\").decode()\n"
		}
	}
	held := func(name string) string {
		if made, ok := names[name]; ok {
			return made
		}
		return pythonHeld(name)
	}
	return imports + "import os\nimport secrets\nfrom urllib.parse import urlencode\n\n" + made +
		"print(" + scriptText(c.url+"?") + " + urlencode({\n" + members(c.query, "    ", held) + "}))\n"
}

// javascript writes a call for fetch: for Node.js as a module, for a single page with
// its values in the session's storage.
func (a application) javascript(c call) string {
	held := func(name string) string { return "process.env." + name }
	if a.kind == registry.SinglePage {
		held = func(name string) string { return "sessionStorage.getItem(" + scriptText(name) + ")" }
	}
	if c.opens {
		return a.javascriptAuthorize(c, held)
	}
	var b strings.Builder
	address := scriptText(c.url)
	if len(c.query) > 0 {
		b.WriteString("const query = new URLSearchParams({\n" + members(c.query, "  ", held) + "});\n")
		address = scriptText(c.url+"?") + " + query"
	}
	b.WriteString("const answer = await fetch(" + address)
	var options []string
	if c.method != "GET" {
		options = append(options, "method: "+scriptText(c.method))
	}
	switch c.as {
	case basic:
		options = append(options, "headers: { Authorization: \"Basic \" + btoa("+scriptText(c.clientID+":")+" + "+held(varSecret)+") }")
	case bearer:
		options = append(options, "headers: { Authorization: \"Bearer \" + "+held(varAccess)+" }")
	}
	if len(c.form) > 0 {
		options = append(options, "body: new URLSearchParams({\n"+members(c.form, "    ", held)+"  })")
	}
	if len(options) > 0 {
		b.WriteString(", {\n  " + strings.Join(options, ",\n  ") + ",\n}")
	}
	b.WriteString(");\nconsole.log(answer.status, await answer.text());\n")
	return b.String()
}

func (a application) javascriptAuthorize(c call, held func(string) string) string {
	const base64url = "const base64url = (bytes) =>\n  btoa(String.fromCharCode(...new Uint8Array(bytes)))\n    .replaceAll(\"+\", \"-\").replaceAll(\"/\", \"_\").replaceAll(\"=\", \"\");\n"
	made := base64url + "const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));\n\nconst state = random(); // keep it: the answer must bring it back\n"
	keep := []string{varState, "state"}
	names := map[string]string{varState: "state", varChallenge: "challenge"}
	if a.proves() {
		made += "const verifier = random(); // keep it: the exchange needs it\n" +
			"const digest = await crypto.subtle.digest(\"SHA-256\", new TextEncoder().encode(verifier));\nconst challenge = base64url(digest);\n"
		keep = append(keep, varVerifier, "verifier")
	}
	last := ""
	for i := 0; i < len(keep); i += 2 {
		if a.kind == registry.SinglePage {
			made += "sessionStorage.setItem(" + scriptText(keep[i]) + ", " + keep[i+1] + ");\n"
		} else {
			last += "console.log(" + scriptText(keep[i+1]+":") + ", " + keep[i+1] + ");\n"
		}
	}
	known := func(name string) string {
		if made, ok := names[name]; ok {
			return made
		}
		return held(name)
	}
	address := scriptText(c.url+"?") + " + query"
	made += "const query = new URLSearchParams({\n" + members(c.query, "  ", known) + "});\n"
	if a.kind == registry.SinglePage {
		return made + "location.assign(" + address + ");\n"
	}
	return made + last + "console.log(" + address + ");\n"
}
