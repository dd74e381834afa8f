package provider

import (
	"net/http"
	"slices"
	"strings"

	"gatelodge/internal/authz"
	"gatelodge/internal/oauth"
	"gatelodge/internal/oidc"
	"gatelodge/internal/registry"
	"gatelodge/internal/web"
)

// named are the scopes that are called so, each once, in that order: a scope can be
// named twice, by its name and an alias.
func named(table *registry.Scopes, names []string) []registry.Scope {
	var all []registry.Scope
	for _, name := range names {
		s, ok := table.Lookup(name)
		if ok && !slices.ContainsFunc(all, func(o registry.Scope) bool { return o.Number == s.Number }) {
			all = append(all, s)
		}
	}
	return all
}

// scopes are what was asked for.
func (q *request) scopes() []registry.Scope { return named(q.table, slices.Concat(q.Scope, q.implied)) }

// languages are those in which the user reads what the application asks for: what the
// application says (OpenID Connect Core section 3.1.2.1, ui_locales), then what the
// browser does.
func (q *request) languages(r *http.Request) []string {
	return append(slices.Clone(q.UILocales), web.Languages(r)...)
}

// wordsOf names the text of a page that describes scopes, for the record of a consent:
// the languages follow the name of the page.
func wordsOf(page string, scopes []registry.Scope, languages []string) string {
	text := []string{page}
	for _, s := range scopes {
		if language := s.Spoken(languages).Language; !slices.Contains(text, language) {
			text = append(text, language)
		}
	}
	slices.Sort(text[1:])
	return strings.Join(text, " ")
}

// answersAsAsked reports whether all that was asked for was granted, some of it by an
// alias. Clients compare the scope of an answer with what they sent, but a code has no
// room for names: the token answer then leaves it out, which says that it is what was
// asked for (RFC 6749 section 5.1).
func (q *request) answersAsAsked(granted oauth.ScopeSet) bool {
	return q.dialect == oauth.Standard && granted == q.asked && slices.ContainsFunc(q.Scope, func(name string) bool {
		s, ok := q.table.Lookup(name)
		return ok && s.Name != name
	})
}

// scopeText is the parameter scope of a token answer, "" to leave it out. Scopes are
// called by their own names, in the order of their numbers. What was asked for by an
// alias is left unsaid as long as all of it is there; once something is missing, that
// has to be said (RFC 6749 section 5.1), and what is left is called by its own name.
func scopeText(table *registry.Scopes, scopes, given oauth.ScopeSet, extra authz.Extra) string {
	if extra.AsAsked && scopes == given {
		return ""
	}
	return scopeNames(table, scopes)
}

// releasedBy are what UserInfo tells by scopes: those of OpenID Connect what they are
// there for (Core section 5.4), the operator's own what they release.
func releasedBy(table *registry.Scopes, scopes oauth.ScopeSet) oidc.ClaimSet {
	var release oidc.ClaimSet
	for s := range table.All() {
		switch {
		case !scopes.Has(s.Number):
		case !s.Own():
			release |= oidc.ScopeClaims(s.Name)
		default:
			for _, c := range s.Claims {
				release |= standardClaims[c]
			}
		}
	}
	return release
}

// standardClaims are the facts of Login with Amazon as OpenID Connect has them. The
// user's ID is told as sub in any case.
var standardClaims = map[registry.Claim]oidc.ClaimSet{
	registry.ClaimName:       oidc.Name,
	registry.ClaimEmail:      oidc.Email | oidc.EmailVerified,
	registry.ClaimPostalCode: oidc.Address,
}
