package console

import (
	"slices"
	"strings"
)

// readSecretCommand asks for the secret without showing it and without leaving it
// in the shell's history.
const readSecretCommand = `printf 'Client Secret: ' && read -rs CLIENT_SECRET && echo`

// makeVerifierCommand makes a verifier of 64 characters and its S256 challenge, which
// is base64url without padding (RFC 7636 sections 4.1 and 4.2).
const makeVerifierCommand = `CODE_VERIFIER=$(openssl rand -hex 32)
CODE_CHALLENGE=$(printf %s "$CODE_VERIFIER" | openssl dgst -sha256 -binary | openssl base64 -A | tr '+/' '-_' | tr -d '=')`

// makeStateCommand makes a state that nobody guesses (RFC 6749 section 10.12).
const makeStateCommand = `STATE=$(openssl rand -hex 16)`

// curl writes a call as a command. Basic authentication goes by --user: curl hides it
// from the list of processes, other arguments it does not.
func (c call) curl() string {
	parts := []string{"curl"}
	switch {
	case c.opens && c.safe():
		return "echo " + c.shellAddress()
	case c.opens:
		// curl encodes what the variables hold and tells the address. Whoever asks
		// without being signed in is led to sign-in, and nothing comes of it.
		parts = append(parts, "--silent --output /dev/null --write-out '%{url_effective}\\n'")
	}
	switch c.as {
	case basic:
		parts = append(parts, "--user "+shellQuote(c.clientID+":")+`"$`+varSecret+`"`)
	case bearer:
		parts = append(parts, `--header "Authorization: Bearer $`+varAccess+`"`)
	}
	if len(c.query) > 0 {
		parts = append(parts, "--get")
	}
	for _, p := range slices.Concat(c.query, c.form) {
		parts = append(parts, shellData(p))
	}
	return strings.Join(append(parts, shellQuote(c.url)), " \\\n  ")
}

func shellData(p parameter) string {
	const plain = "abcdefghijklmnopqrstuvwxyz_-:"
	switch {
	case p.variable != "":
		return `--data-urlencode "` + p.name + `=$` + p.variable + `"`
	case strings.Trim(p.text, plain) == "":
		return "--data " + p.name + "=" + p.text
	}
	return "--data-urlencode " + shellQuote(p.name+"="+p.text)
}

// safe reports whether nothing in the variables of the query needs encoding.
func (c call) safe() bool {
	return !slices.ContainsFunc(c.query, func(p parameter) bool { return p.variable == varReturnURL })
}

// shellAddress is the address for a browser as a word of the shell.
func (c call) shellAddress() string {
	text, word := c.url, ""
	for i, p := range c.query {
		separator := "&"
		if i == 0 {
			separator = "?"
		}
		text += separator + encode([]parameter{p}, nil)
		if p.variable != "" {
			word += shellQuote(text) + `"$` + p.variable + `"`
			text = ""
		}
	}
	if text != "" {
		word += shellQuote(text)
	}
	return word
}
