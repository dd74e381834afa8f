package registry

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"gatelodge/internal/oauth"
)

// MaxScopes is how many scopes there can be.
const MaxScopes = oauth.MaxScopes

// Claim is one fact about a user, named as the profile endpoint answers it.
type Claim string

const (
	ClaimUserID     Claim = "user_id"
	ClaimName       Claim = "name"
	ClaimEmail      Claim = "email"
	ClaimPostalCode Claim = "postal_code"
)

// Scope is one thing that an application may ask a user for.
type Scope struct {
	Number    int // its bit in an oauth.ScopeSet: stored in grants and tokens, so never given to another scope
	Name      string
	Aliases   []string // other names by which it may be asked for; answers always use Name
	Label     string   // the consent page's line
	Detail    string   // the sentence beneath it
	Essential bool     // cannot be unticked on the consent page unless the application asks for it as voluntary
	Claims    []Claim
	// WithoutUser: an application may have it for itself, by client credentials.
	WithoutUser bool
	// Restricted: only profiles that the operator granted it to may ask for it.
	Restricted bool
	// Audience is the id of the profile of the API that the scope is for, 0 for what
	// this server answers itself.
	Audience int64
	// Translations of Label and Detail, which are in English.
	Translations []Words
	// RetiredAt is set of a scope that nobody can ask for any more.
	RetiredAt time.Time
	Version   int64 // counts edits
}

// Words are a scope's on the consent page, in a language of BCP 47 such as de or pt-BR.
type Words struct{ Language, Label, Detail string }

// English is the language of Label and Detail.
const English = "en"

// In gives label and detail in the first of the languages that there are words in.
func (s Scope) In(languages []string) (label, detail string) {
	w := s.Spoken(languages)
	return w.Label, w.Detail
}

// Spoken is In together with the language that was found.
func (s Scope) Spoken(languages []string) Words {
	english := Words{English, s.Label, s.Detail}
	for _, wanted := range languages {
		for tag := wanted; tag != ""; {
			if strings.EqualFold(tag, English) {
				return english
			}
			for _, w := range s.Translations {
				if strings.EqualFold(w.Language, tag) {
					return w
				}
			}
			// RFC 4647 section 3.4: the tag without its last part.
			tag = tag[:max(0, strings.LastIndexByte(tag, '-'))]
		}
	}
	return english
}

// Own reports whether the scope is one of the operator's. The others are part of the
// protocols: what they are called and what they release stays as it is.
func (s Scope) Own() bool { return s.Number >= FirstOwnNumber }

// BuiltIn returns the scopes of Login with Amazon's customer profile (login-with-amazon.md section 15) and those of
// OpenID Connect (Core section 5.4). Both have one called profile; what an application learns by it depends on where it
// asks.
func BuiltIn() []Scope {
	return []Scope{
		{
			Number:    0,
			Name:      "profile",
			Label:     "Your name and e-mail address",
			Detail:    "The application learns your name, your e-mail address, and an ID that it knows you by.",
			Essential: true,
			Claims:    []Claim{ClaimUserID, ClaimName, ClaimEmail},
		},
		{
			Number:    1,
			Name:      "profile:user_id",
			Label:     "An ID that tells the application who you are, and nothing more",
			Detail:    "Applications of other developers see another ID, so they cannot compare notes about you.",
			Essential: true,
			Claims:    []Claim{ClaimUserID},
		},
		{
			Number:    2,
			Name:      "postal_code",
			Label:     "Your postal code",
			Detail:    "The application learns the postal code of your account, and an ID that it knows you by.",
			Essential: true,
			Claims:    []Claim{ClaimUserID, ClaimPostalCode},
		},
		{
			Number:    3,
			Name:      OpenID,
			Label:     "Who you are, by an ID",
			Detail:    "The application learns an ID that it knows you by, and when you last signed in here.",
			Essential: true,
			Claims:    []Claim{ClaimUserID},
		},
		{
			Number:    4,
			Name:      "email",
			Label:     "Your e-mail address",
			Detail:    "The application learns your e-mail address, and whether you have confirmed it.",
			Essential: true,
			Claims:    []Claim{ClaimEmail},
		},
		{
			Number:    5,
			Name:      "address",
			Label:     "Your postal code",
			Detail:    "The application learns the postal code of your account; no other part of an address is kept here.",
			Essential: true,
			Claims:    []Claim{ClaimPostalCode},
		},
		{
			Number:    6,
			Name:      "phone",
			Label:     "Your telephone number",
			Detail:    "None is kept here, so the application learns nothing by this.",
			Essential: true,
		},
		{
			Number:    7,
			Name:      "offline_access",
			Label:     "Access while you are away",
			Detail:    "The application may go on until you remove it.",
			Essential: true,
		},
	}
}

// OpenID is the scope that asks for an ID token (OpenID Connect Core section 3.1.2.1).
const OpenID = "openid"

// Numbers of built-in scopes that rules depend on.
const (
	NumberUserID = 1
	NumberOpenID = 3
)

// FirstOwnNumber is where the numbers of the operator's own scopes begin.
const FirstOwnNumber = 16

// Scopes is a table of scopes as it was at some moment. It does not change once made.
type Scopes struct {
	ordered []Scope // by number
	byName  map[string]int
	// live are those that can be asked for, restricted those of them that have to be
	// granted to a profile.
	live, restricted oauth.ScopeSet
}

// NewScopes makes a table, refusing one whose numbers or names are not unique or cannot be used.
func NewScopes(scopes []Scope) (*Scopes, error) {
	t := &Scopes{ordered: slices.Clone(scopes), byName: make(map[string]int)}
	slices.SortFunc(t.ordered, func(a, b Scope) int { return cmp.Compare(a.Number, b.Number) })
	var errs []error
	for i, s := range t.ordered {
		if s.Number < 0 || s.Number >= MaxScopes {
			errs = append(errs, fmt.Errorf("scope %q: number %d is outside 0 to %d", s.Name, s.Number, MaxScopes-1))
		}
		if i > 0 && t.ordered[i-1].Number == s.Number {
			errs = append(errs, fmt.Errorf("scopes %q and %q: both have number %d", t.ordered[i-1].Name, s.Name, s.Number))
		}
		if s.Label == "" {
			errs = append(errs, fmt.Errorf("scope %q: no label for the consent page", s.Name))
		}
		if !s.RetiredAt.IsZero() || s.Number < 0 || s.Number >= MaxScopes {
			continue // the name of one that is retired may be used again, its number may not
		}
		t.live = t.live.With(s.Number)
		if s.Restricted {
			t.restricted = t.restricted.With(s.Number)
		}
		for name := range s.names() {
			if !isScopeToken(name) {
				errs = append(errs, fmt.Errorf("scope %d: %q cannot be a scope's name", s.Number, name))
			}
			if _, taken := t.byName[name]; taken {
				errs = append(errs, fmt.Errorf("scope %d: the name %q is taken", s.Number, name))
			}
			t.byName[name] = i
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return t, nil
}

// names yields the scope's name and its aliases.
func (s Scope) names() iter.Seq[string] {
	return func(yield func(string) bool) {
		if !yield(s.Name) {
			return
		}
		for _, alias := range s.Aliases {
			if !yield(alias) {
				return
			}
		}
	}
}

// isScopeToken holds RFC 6749 section 3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E ).
func isScopeToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return s != ""
}

// Lookup finds a scope by its name or an alias. Names are case-sensitive (RFC 6749 section 3.3).
func (t *Scopes) Lookup(name string) (Scope, bool) {
	i, ok := t.byName[name]
	if !ok {
		return Scope{}, false
	}
	return t.ordered[i], true
}

// ByNumber finds a scope by its bit.
func (t *Scopes) ByNumber(n int) (Scope, bool) {
	i, ok := slices.BinarySearchFunc(t.ordered, n, func(s Scope, n int) int { return cmp.Compare(s.Number, n) })
	if !ok {
		return Scope{}, false
	}
	return t.ordered[i], true
}

// All yields every scope that can be asked for, in the order of their numbers.
func (t *Scopes) All() iter.Seq[Scope] {
	return func(yield func(Scope) bool) {
		for _, s := range t.ordered {
			if s.RetiredAt.IsZero() && !yield(s) {
				return
			}
		}
	}
}

// Parse turns names into a set, and returns the names that are no scope's in the order they came.
func (t *Scopes) Parse(names []string) (set oauth.ScopeSet, unknown []string) {
	for _, name := range names {
		i, ok := t.byName[name]
		if !ok {
			unknown = append(unknown, name)
			continue
		}
		set = set.With(t.ordered[i].Number)
	}
	return set, unknown
}

// Usable is the part of a set that tokens of a profile are good for now: without
// what was retired, and without what the operator has granted to it no more. It is
// MayAsk for tokens that were given before.
func (t *Scopes) Usable(p *SecurityProfile, set oauth.ScopeSet) oauth.ScopeSet {
	set = set.Intersect(t.live)
	if p.Dynamic {
		return set.Intersect(p.Granted)
	}
	return set.Minus(t.restricted.Minus(p.Granted))
}

// Restricted is the part of a set that has to be granted to a profile.
func (t *Scopes) Restricted(set oauth.ScopeSet) oauth.ScopeSet { return set.Intersect(t.restricted) }

// Names returns the names of a set's scopes in the order of their numbers. One that is
// retired has none: another scope may be called so by now.
func (t *Scopes) Names(set oauth.ScopeSet) []string {
	var names []string
	for s := range t.All() {
		if set.Has(s.Number) {
			names = append(names, s.Name)
		}
	}
	return names
}

// Audiences are the ids of the profiles of the APIs that a set's scopes are for, each
// once; here reports whether one of them is for this server itself.
func (t *Scopes) Audiences(set oauth.ScopeSet) (apis []int64, here bool) {
	for _, s := range t.ordered {
		switch {
		case !set.Has(s.Number):
		case s.Audience == 0:
			here = true
		case !slices.Contains(apis, s.Audience):
			apis = append(apis, s.Audience)
		}
	}
	return apis, here
}

// For is the part of a set that is for the API of a profile.
func (t *Scopes) For(api int64, set oauth.ScopeSet) (part oauth.ScopeSet) {
	for _, s := range t.ordered {
		if s.Audience == api && set.Has(s.Number) {
			part = part.With(s.Number)
		}
	}
	return part
}

// Claims returns the facts that a set releases, each once.
func (t *Scopes) Claims(set oauth.ScopeSet) []Claim {
	var claims []Claim
	for s := range t.All() {
		if !set.Has(s.Number) {
			continue
		}
		for _, c := range s.Claims {
			if !slices.Contains(claims, c) {
				claims = append(claims, c)
			}
		}
	}
	return claims
}
