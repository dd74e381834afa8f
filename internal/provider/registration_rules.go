package provider

import (
	"errors"
	"slices"
	"strings"

	"gatelodge/internal/fetch"
	"gatelodge/internal/oauth"
	"gatelodge/internal/oidc"
	"gatelodge/internal/registry"
	"gatelodge/internal/signing"
	"gatelodge/internal/store"
)

// Values of token_endpoint_auth_method (RFC 7591 section 2) beside
// [registry.AuthMethodNone].
const (
	secretBasic   = "client_secret_basic"
	secretPost    = "client_secret_post"
	privateKeyJWT = "private_key_jwt"
)

// registrationRules say what an application may have that registers itself.
type registrationRules struct {
	table *registry.Scopes
	// ceiling is the most that it may ask its users for.
	ceiling oauth.ScopeSet
	// open: nobody vouches for it, so it may do nothing that no user has allowed.
	open bool
	// check refuses addresses that this server would not ask.
	check func(address string) error
}

// applicant is an application on its way into the registry: what is to be stored,
// and what it is told of that. The method of authentication is among the latter.
type applicant struct {
	profile store.NewProfile
	answer  oidc.ClientInformation
	logo    string // its address, "" for none
}

// judge turns what an application says of itself into a profile. The server may put
// other values in the place of those asked for, when the answer tells them (RFC 7591
// section 3.2.1): so the answer is made from the profile, and from nothing else that
// was asked.
func (rules registrationRules) judge(m oidc.ClientMetadata) (applicant, *oauth.Error) {
	kind, method, err := rules.kindOf(m)
	if err != nil {
		return applicant{}, err
	}
	var a applicant
	n := &a.profile
	n.Dynamic, n.Settings.Kind, n.Settings.RequireDPoP = true, kind, m.RequireDPoP
	if n.Granted, err = rules.scopes(kind, m.Scope); err != nil {
		return a, err
	}
	if err := rules.readKeys(&n.Settings, method, m); err != nil {
		return a, err
	}
	if kind != registry.Service {
		if err := rules.readForUsers(n, m); err != nil {
			return a, err
		}
	}
	if err := describe(n, m); err != nil {
		return a, err
	}
	if m.LogoURI != "" {
		if err := rules.checkAddress("logo_uri", m.LogoURI); err != nil {
			return a, err
		}
		a.logo = m.LogoURI
	}
	a.answer = rules.information(*n, method)
	return a, nil
}

// kindOf finds the kind and the method of authentication that are in force.
func (rules registrationRules) kindOf(m oidc.ClientMetadata) (registry.Kind, string, *oauth.Error) {
	method := m.AuthMethod
	if method == "" {
		method = secretBasic // RFC 7591 section 2
	}
	if !slices.Contains([]string{secretBasic, secretPost, privateKeyJWT, registry.AuthMethodNone}, method) {
		return 0, "", oidc.RefuseMetadata("token_endpoint_auth_method", "This has to be client_secret_basic, client_secret_post, private_key_jwt or none.")
	}
	if !slices.Contains([]string{"", registry.ApplicationTypeWeb, registry.ApplicationTypeNative}, m.ApplicationType) {
		return 0, "", oidc.RefuseMetadata("application_type", "This has to be web or native.")
	}
	grants := []oauth.GrantType{oauth.GrantAuthorizationCode} // RFC 7591 section 2
	if m.GrantTypes != nil {
		grants = nil
		for _, g := range m.GrantTypes {
			grants = append(grants, oauth.GrantType(g))
		}
	}
	kind, ok := registry.SelfRegistration{
		ApplicationType: m.ApplicationType, AuthMethod: method, Grants: grants, ReturnURLs: m.RedirectURIs,
	}.Kind()
	switch byCode := kind != registry.Service && kind != registry.Device; {
	case !ok:
		return 0, "", oidc.RefuseMetadata("grant_types", "One of these has to be authorization_code, client_credentials or "+string(oauth.GrantDeviceCode)+".")
	case rules.open && !byCode:
		return 0, "", oidc.RefuseMetadata("grant_types", "Without an initial access token an application can only have authorization_code and refresh_token.")
	// RFC 7591 section 2.1: grant types and response types have to fit.
	case byCode && m.ResponseTypes != nil && !slices.Contains(m.ResponseTypes, string(oauth.ResponseCode)):
		return 0, "", oidc.RefuseMetadata("response_types", "One of these has to be code.")
	case !byCode && len(m.ResponseTypes) > 0:
		return 0, "", oidc.RefuseMetadata("response_types", "Without the grant type authorization_code there is no response type.")
	case kind == registry.Service && method == registry.AuthMethodNone:
		return 0, "", oidc.RefuseMetadata("token_endpoint_auth_method", "Who uses client_credentials has to prove who it is: this cannot be none.")
	case kind.Public() && method == privateKeyJWT:
		return 0, "", oidc.RefuseMetadata("token_endpoint_auth_method", "A native application or a device has no key of its own to prove itself with here: write none.")
	}
	if kind.Public() {
		method = registry.AuthMethodNone
	}
	return kind, method, nil
}

// scopes are what was asked for, as far as the ceiling goes.
func (rules registrationRules) scopes(kind registry.Kind, asked []string) (oauth.ScopeSet, *oauth.Error) {
	ceiling := rules.ceiling
	if kind == registry.Service {
		var alone oauth.ScopeSet
		for n := range ceiling.Numbers() {
			if s, ok := rules.table.ByNumber(n); ok && s.WithoutUser {
				alone = alone.With(n)
			}
		}
		ceiling = alone
	}
	if len(asked) == 0 {
		return ceiling, nil
	}
	known, _ := rules.table.Parse(asked)
	set := known.Intersect(ceiling)
	if set.Empty() {
		words := "None of these can be had by registration."
		if names := rules.table.Names(ceiling); names != nil {
			words += " These can: " + strings.Join(names, " ") + "."
		}
		return set, oidc.RefuseMetadata("scope", words)
	}
	return set, nil
}

// readKeys reads the keys of an application that proves itself with them. Others have
// no use for keys here.
func (rules registrationRules) readKeys(n *registry.Settings, method string, m oidc.ClientMetadata) *oauth.Error {
	if m.JWKS != nil {
		if _, err := signing.ParseJWKS(m.JWKS); err != nil {
			words := "This is not a JSON Web Key Set."
			if refused, ok := errors.AsType[*signing.KeySetError](err); ok {
				words = refused.Message
			}
			return oidc.RefuseMetadata("jwks", words)
		}
	}
	if m.JWKSURI != "" {
		if err := rules.checkAddress("jwks_uri", m.JWKSURI); err != nil {
			return err
		}
	}
	if method != privateKeyJWT {
		return nil
	}
	if m.JWKS == nil && m.JWKSURI == "" {
		return oidc.RefuseMetadata("jwks", "private_key_jwt needs your public keys: send jwks or jwks_uri.")
	}
	n.Auth, n.JWKS, n.JWKSURI = registry.AuthKey, string(m.JWKS), m.JWKSURI
	return nil
}

// readForUsers reads what applications have that act for users.
func (rules registrationRules) readForUsers(n *store.NewProfile, m oidc.ClientMetadata) *oauth.Error {
	kind := n.Settings.Kind
	n.Settings.IDTokenAlg = m.IDTokenAlg
	if m.IDTokenAlg == "" {
		n.Settings.IDTokenAlg = registry.DefaultIDTokenAlg
	}
	if !slices.Contains(registry.IDTokenAlgs(), n.Settings.IDTokenAlg) {
		return oidc.RefuseMetadata("id_token_signed_response_alg", "This has to be RS256 or ES256.")
	}
	// Whoever asks for public subjects gets pairwise ones, and reads so in the answer.
	if !slices.Contains([]string{"", "pairwise", "public"}, m.SubjectType) {
		return oidc.RefuseMetadata("subject_type", "This has to be pairwise.")
	}
	if m.BackChannelLogoutURI != "" {
		if err := rules.checkAddress("backchannel_logout_uri", m.BackChannelLogoutURI); err != nil {
			return err
		}
		n.Settings.BackChannelLogoutURI = m.BackChannelLogoutURI
	}
	if kind == registry.Device {
		return nil
	}
	n.Settings.RequirePAR = m.RequirePAR
	if len(m.RedirectURIs) == 0 {
		return oidc.RefuseMetadata("redirect_uris", "At least one is needed.")
	}
	var err *oauth.Error
	if n.ReturnURLs, err = returnURLs(kind, "redirect_uris", m.RedirectURIs); err != nil {
		return err
	}
	n.PostLogoutURLs, err = returnURLs(kind, "post_logout_redirect_uris", m.PostLogoutURIs)
	return err
}

// returnURLs holds the addresses to the rules of the console (RFC 7591 section 5).
func returnURLs(kind registry.Kind, member string, raw []string) ([]registry.ReturnURL, *oauth.Error) {
	var rows []registry.ReturnURL
	for _, u := range raw {
		rows = append(rows, registry.ReturnURL{Value: u})
	}
	urls, problems := registry.ParseReturnURLs(kind, rows)
	switch {
	case problems != nil:
		return nil, oidc.RefuseMetadata(member, sentence(problems[0]))
	case len(urls) != len(raw):
		return nil, oidc.RefuseMetadata(member, "One of the entries is blank.")
	}
	return urls, nil
}

func sentence(f registry.FieldError) string {
	if f.Suggestion == "" {
		return f.Message
	}
	return f.Message + " Try: " + f.Suggestion
}

func describe(n *store.NewProfile, m oidc.ClientMetadata) *oauth.Error {
	name := m.Name
	if strings.TrimSpace(name) == "" {
		name = registry.UnnamedApplication(n.ReturnURLs)
	}
	form, problems := registry.ParseSelfDescription(name, m.PolicyURI)
	if problems != nil {
		member := "client_name"
		if problems[0].Field == registry.FieldPrivacyURL {
			member = "policy_uri"
		}
		return oidc.RefuseMetadata(member, sentence(problems[0]))
	}
	n.Form = form
	n.Form.Description = "Registered itself."
	return nil
}

func (rules registrationRules) checkAddress(member, address string) *oauth.Error {
	err := rules.check(address)
	if err == nil {
		return nil
	}
	words := "This address cannot be used."
	if refused, ok := errors.AsType[*fetch.Error](err); ok {
		words = refused.Words
	}
	return oidc.RefuseMetadata(member, words)
}

// information is what is in force of a profile, in the words of registration.
func (rules registrationRules) information(n store.NewProfile, method string) oidc.ClientInformation {
	p := registry.SecurityProfile{Settings: n.Settings, Dynamic: n.Dynamic}
	i := oidc.ClientInformation{
		AuthMethod: method, ResponseTypes: []string{}, ApplicationType: n.Settings.Kind.ApplicationType(),
		Name: n.Form.Name, PolicyURI: n.Form.PrivacyURL, Scope: strings.Join(rules.table.Names(n.Granted), " "),
		JWKSURI: n.Settings.JWKSURI, IDTokenAlg: n.Settings.IDTokenAlg, SubjectType: "pairwise",
		BackChannelLogoutURI: n.Settings.BackChannelLogoutURI, BackChannelLogoutSession: n.Settings.BackChannelLogoutURI != "",
		RequirePAR: n.Settings.RequirePAR, RequireDPoP: n.Settings.RequireDPoP,
	}
	if n.Settings.JWKS != "" {
		i.JWKS = []byte(n.Settings.JWKS)
	}
	// What the token endpoint enforces, and not what was asked for (CVE-2026-75866).
	for _, g := range []oauth.GrantType{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken, oauth.GrantClientCredentials, oauth.GrantDeviceCode} {
		if p.May(g) {
			i.GrantTypes = append(i.GrantTypes, string(g))
		}
	}
	if p.May(oauth.GrantAuthorizationCode) {
		i.ResponseTypes = []string{string(oauth.ResponseCode)}
	}
	for _, u := range n.ReturnURLs {
		i.RedirectURIs = append(i.RedirectURIs, u.Value)
	}
	for _, u := range n.PostLogoutURLs {
		i.PostLogoutURIs = append(i.PostLogoutURIs, u.Value)
	}
	return i
}
