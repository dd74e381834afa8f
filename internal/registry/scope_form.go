package registry

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Limits of the operator's form for a scope, in characters.
const (
	ScopeNameMaxChars   = 64
	ScopeLabelMaxChars  = 80
	ScopeDetailMaxChars = 250
	MaxAliases          = 8
	// MaxTranslations is how many languages there can be beside English.
	MaxTranslations = 40
	languageMax     = 35 // RFC 5646 section 4.4.1
	// AudienceMaxChars is of the identifier of an API.
	AudienceMaxChars = 250
)

// Names of that form's fields. The words of one language are a row of three fields.
const (
	FieldScopeName     = "scope_name"
	FieldAliases       = "aliases"
	FieldLabel         = "label"
	FieldDetail        = "detail"
	FieldClaims        = "claims"
	FieldWordsLanguage = "language"
	FieldWordsLabel    = "words_label"
	FieldWordsDetail   = "words_detail"
	FieldAudience      = "audience"
)

// WordsField names a field of the row of one language.
func WordsField(field string, row int) string { return fmt.Sprintf("%s.%d", field, row) }

// Claims are all that a scope can release, in the order in which they are chosen.
func Claims() []Claim { return []Claim{ClaimUserID, ClaimName, ClaimEmail, ClaimPostalCode} }

// Words tell a person what the claim is.
func (c Claim) Words() string {
	switch c {
	case ClaimUserID:
		return "The ID that the application knows the user by"
	case ClaimName:
		return "The user’s name"
	case ClaimEmail:
		return "The user’s e-mail address"
	case ClaimPostalCode:
		return "The postal code of the user’s account"
	default:
		return string(c)
	}
}

// ScopeForm is a scope as the operator writes it. Rows of Translations that are empty
// do not count.
type ScopeForm struct {
	Name                               string
	Aliases                            []string
	Label, Detail                      string
	Essential, Restricted, WithoutUser bool
	Claims                             []string
	// Audience is the id of the profile of the API, 0 for none.
	Audience     int64
	Translations []Words
}

// Form is the scope as the form shows it.
func (s Scope) Form() ScopeForm {
	f := ScopeForm{
		Name: s.Name, Aliases: slices.Clone(s.Aliases), Label: s.Label, Detail: s.Detail,
		Essential: s.Essential, Restricted: s.Restricted, WithoutUser: s.WithoutUser,
		Audience: s.Audience, Translations: slices.Clone(s.Translations),
	}
	for _, c := range s.Claims {
		f.Claims = append(f.Claims, string(c))
	}
	return f
}

// ParseScope checks the form of a new scope, to stand in the table beside the others.
// Its number is given by whoever keeps it.
func ParseScope(f ScopeForm, table *Scopes) (Scope, FieldErrors) {
	return f.parse(Scope{Number: FirstOwnNumber}, table)
}

// Edit checks the form over the scope. Of a built-in one only the words, whether it is
// essential and whether it is restricted are read: its name and its claims are what
// clients of both protocols rely on.
func (s Scope) Edit(f ScopeForm, table *Scopes) (Scope, FieldErrors) { return f.parse(s, table) }

func (f ScopeForm) parse(over Scope, table *Scopes) (Scope, FieldErrors) {
	s := over
	var errs FieldErrors
	fail := func(field, message, suggestion string) {
		if message != "" {
			errs = append(errs, FieldError{field, message, suggestion})
		}
	}
	if over.Own() {
		s.Name, s.Aliases, s.WithoutUser, s.Audience = strings.TrimSpace(f.Name), nil, f.WithoutUser, f.Audience
		message, suggestion := checkScopeName(s.Name, over, table)
		fail(FieldScopeName, message, suggestion)
		for _, alias := range f.Aliases {
			alias = strings.TrimSpace(alias)
			if alias == "" {
				continue
			}
			message, suggestion := checkScopeName(alias, over, table)
			if message == "" && (alias == s.Name || slices.Contains(s.Aliases, alias)) {
				message = fmt.Sprintf("Write %q once.", alias)
			}
			fail(FieldAliases, message, suggestion)
			s.Aliases = append(s.Aliases, alias)
		}
		if len(s.Aliases) > MaxAliases {
			fail(FieldAliases, fmt.Sprintf("There can be %d other names; here are %d.", MaxAliases, len(s.Aliases)), "")
		}
		s.Claims = nil
		for _, c := range Claims() {
			if slices.Contains(f.Claims, string(c)) {
				s.Claims = append(s.Claims, c)
			}
		}
		for _, c := range f.Claims {
			if !slices.Contains(Claims(), Claim(c)) {
				fail(FieldClaims, fmt.Sprintf("There is no claim %q; choose among user_id, name, email and postal_code.", c), "")
			}
		}
	}
	s.Essential, s.Restricted = f.Essential, f.Restricted
	words := parseWords(Words{English, f.Label, f.Detail}, FieldLabel, FieldDetail, fail)
	s.Label, s.Detail = words.Label, words.Detail
	s.Translations = f.parseTranslations(fail)
	if errs != nil {
		return Scope{}, errs
	}
	return s, nil
}

// parseTranslations reads the rows of words in other languages, in the order of their
// languages.
func (f ScopeForm) parseTranslations(fail func(field, message, suggestion string)) []Words {
	var all []Words
	for i, w := range f.Translations {
		w.Language = strings.TrimSpace(w.Language)
		if w.Language == "" && strings.TrimSpace(w.Label+w.Detail) == "" {
			continue
		}
		language := WordsField(FieldWordsLanguage, i)
		switch {
		case !isLanguage(w.Language):
			fail(language, "Write the tag of a language, such as de, fr or pt-BR.", "")
		case strings.EqualFold(w.Language, English):
			fail(language, "The words in English are the ones above.", "")
		case slices.ContainsFunc(all, func(o Words) bool { return strings.EqualFold(o.Language, w.Language) }):
			fail(language, fmt.Sprintf("The language %s is here twice.", w.Language), "")
		}
		all = append(all, parseWords(w, WordsField(FieldWordsLabel, i), WordsField(FieldWordsDetail, i), fail))
	}
	if len(all) > MaxTranslations {
		fail(WordsField(FieldWordsLanguage, MaxTranslations), fmt.Sprintf("There can be words in %d languages beside English.", MaxTranslations), "")
	}
	slices.SortFunc(all, func(a, b Words) int { return strings.Compare(a.Language, b.Language) })
	return all
}

// parseWords checks what users read before they allow something.
func parseWords(w Words, label, detail string, fail func(field, message, suggestion string)) Words {
	w.Label, w.Detail = strings.TrimSpace(w.Label), strings.TrimSpace(w.Detail)
	message, suggestion := checkProfileText(w.Label, ScopeLabelMaxChars, "Write what the application gets, as users read it on the consent page, such as “Your sales reports”.")
	fail(label, message, suggestion)
	message, suggestion = checkProfileText(w.Detail, ScopeDetailMaxChars, "Write a sentence that tells users what allowing it means.")
	fail(detail, message, suggestion)
	return w
}

// checkScopeName holds RFC 6749 section 3.3 and that a name belongs to one scope.
func checkScopeName(name string, over Scope, table *Scopes) (message, suggestion string) {
	switch {
	case name == "":
		return "Write the name that applications ask by, such as reports:read.", ""
	case !isScopeToken(name):
		suggestion = strings.Join(strings.FieldsFunc(name, func(r rune) bool { return r < '!' || r > '~' || r == '"' || r == '\\' }), "_")
		if len(suggestion) > ScopeNameMaxChars || !isScopeToken(suggestion) || isTaken(suggestion, over, table) {
			suggestion = ""
		}
		return "Write it in Latin letters, digits and signs such as “:”, without blanks, quotation marks or backslashes.", suggestion
	case len(name) > ScopeNameMaxChars:
		return fmt.Sprintf("Shorten %s… to %d characters; it has %d.", name[:16], ScopeNameMaxChars, len(name)), ""
	case isTaken(name, over, table):
		return fmt.Sprintf("The name %s belongs to a scope already.", name), ""
	}
	return "", ""
}

// isTaken reports whether the name is another scope's; a new one has no version yet.
func isTaken(name string, over Scope, table *Scopes) bool {
	other, taken := table.Lookup(name)
	return taken && (other.Number != over.Number || over.Version == 0)
}

// isLanguage checks the form of a language tag (RFC 5646 section 2.1), not whether
// there is such a language.
func isLanguage(tag string) bool {
	if len(tag) > languageMax {
		return false
	}
	for i, part := range strings.Split(tag, "-") {
		if part == "" || len(part) > 8 || i == 0 && len(part) < 2 {
			return false
		}
		for _, c := range []byte(part) {
			letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
			if !letter && (i == 0 || c < '0' || c > '9') {
				return false
			}
		}
	}
	return true
}

// ParseAudience checks the identifier of an API as applications name it in the
// parameter resource: an absolute URI without a fragment (RFC 8707 section 2). It is
// compared byte for byte.
func ParseAudience(typed string) (string, FieldErrors) {
	s := strings.TrimSpace(typed)
	message := ""
	u, err := url.Parse(s)
	switch {
	case s == "":
		message = "Write the address of the API, such as https://api.example.com."
	case len(s) > AudienceMaxChars:
		message = fmt.Sprintf("Shorten this to %d characters; it has %d.", AudienceMaxChars, len(s))
	case strings.ContainsFunc(s, func(r rune) bool { return r < '!' || r > '~' || strings.ContainsRune("\"\\<>^`{|}", r) }):
		message = "Write it without blanks, quotation marks and characters beyond ASCII."
	case err != nil || u.Scheme == "" || u.Opaque == "" && u.Host == "":
		message = "Write a whole address, such as https://api.example.com."
	case strings.Contains(s, "#"):
		message = "Write it without “#” and what follows."
	case u.User != nil:
		message = "Write it without a user name or password before the “@”."
	}
	if message != "" {
		return "", FieldErrors{{Field: FieldAudience, Message: message}}
	}
	return s, nil
}
