package console

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"gatelodge/internal/registry"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

const (
	fieldFormat      = "format"
	formatEnv        = "env"
	formatKubernetes = "kubernetes"
)

// downloadView is the part of Web Settings that hands the credentials over.
type downloadView struct {
	Action string
	// Format is set when the password is asked for once more before its download.
	Format string
	Error  string
}

// download hands the credentials over as a file. It is a showing of the secret
// like any other: with a recent sign-in, and remembered.
func (s *Surface) download(w http.ResponseWriter, r *http.Request, v visit) error {
	p, c, err := s.secret(r, v)
	if err != nil {
		return err
	}
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	format := form.Get(fieldFormat)
	if format != formatKubernetes {
		format = formatEnv
	}
	asked, err := s.confirm(r, v, form, webSettingsPath(p))
	if err != nil {
		return err
	}
	if asked.AtHome != "" {
		return redirect(w, r, asked.AtHome)
	}
	if !asked.OK {
		page, err := s.webSettings(r.Context(), v, p)
		if err != nil {
			return err
		}
		page.Download = downloadView{Action: r.URL.Path, Format: format, Error: asked.Problem}
		return s.renderWebSettings(w, r, v, asked.Status, page, nil)
	}
	value, err := s.Store.ShowSecret(r.Context(), v.developer.ID, p.ID, c.ID, s.Sessions.By(r, v.User, v.now))
	if errors.Is(err, store.ErrNotFound) {
		return noSecret(p)
	}
	if err != nil {
		return err
	}
	text, name, contentType := envFile(s.handover(p, value)), slug(p.Name)+".env", "text/plain; charset=utf-8"
	if format == formatKubernetes {
		text, name, contentType = kubernetesSecret(slug(p.Name), s.handover(p, value)), slug(p.Name)+"-secret.yaml", "application/yaml; charset=utf-8"
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	_, err = w.Write([]byte(text))
	return err
}

// variable is one setting of an application.
type variable struct{ Name, Value string }

// handover is what an application needs to know, under the names that both files use.
func (s *Surface) handover(p registry.SecurityProfile, secret string) []variable {
	a := s.applicationByHand(p, "")
	all := []variable{{"CLIENT_ID", s.Namespace.ClientID(p.Client)}, {"CLIENT_SECRET", secret}}
	switch p.Settings.Kind { // no user is sent anywhere by these
	case registry.Service:
		return append(all, variable{"TOKEN_URL", a.tokenURL()})
	case registry.Device:
		return append(all, variable{"DEVICE_AUTHORIZATION_URL", s.Issuer + standardDevicePath}, variable{"TOKEN_URL", a.tokenURL()})
	}
	all = append(all, variable{"AUTHORIZATION_URL", a.authorizeURL()}, variable{"TOKEN_URL", a.tokenURL()})
	if len(p.ReturnURLs) > 0 {
		all = append(all, variable{"RETURN_URL", p.ReturnURLs[0].Value})
	}
	return all
}

const keepSafe = "# Keep this in a secrets manager, never in version control.\n"

// envFile writes variables so that a shell, dotenv libraries and docker's
// --env-file read the same: the last knows no quotes, so they stand only around
// values that the others need them for.
func envFile(all []variable) string {
	var b strings.Builder
	b.WriteString(keepSafe)
	for _, v := range all {
		b.WriteString(v.Name + "=" + shellWord(v.Value) + "\n")
	}
	return b.String()
}

// kubernetesSecret writes variables as a Secret manifest. A JSON string of ASCII is
// a YAML one too (YAML 1.2 section 1.3).
func kubernetesSecret(name string, all []variable) string {
	var b strings.Builder
	b.WriteString(keepSafe + "apiVersion: v1\nkind: Secret\nmetadata:\n  name: " + strconv.Quote(name) + "\ntype: Opaque\nstringData:\n")
	for _, v := range all {
		b.WriteString("  " + v.Name + ": " + strconv.QuoteToASCII(v.Value) + "\n")
	}
	return b.String()
}

// shellWord quotes s for a POSIX shell, where it has to be.
func shellWord(s string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:@%+,="
	if s != "" && strings.Trim(s, plain) == "" {
		return s
	}
	return shellQuote(s)
}

// shellQuote puts s in single quotes, in which a shell reads everything as it is.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// slug makes a file name, and a name that Kubernetes takes (RFC 1123 label), out of
// a profile's name.
func slug(name string) string {
	const most = 50
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			b.WriteRune(r)
		} else if s := b.String(); s != "" && !strings.HasSuffix(s, "-") {
			b.WriteByte('-')
		}
	}
	s := b.String()
	s = strings.Trim(s[:min(len(s), most)], "-")
	if s == "" {
		return "security-profile"
	}
	return s
}
