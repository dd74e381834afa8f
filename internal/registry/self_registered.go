package registry

import (
	"slices"
	"strings"

	"gatelodge/internal/oauth"
)

// Values of application_type (OpenID Connect Dynamic Client Registration 1.0 section 2).
const (
	ApplicationTypeWeb    = "web"
	ApplicationTypeNative = "native"
)

// SelfRegistration is what decides the kind of an application that registers itself (RFC 7591 section 2).
type SelfRegistration struct {
	ApplicationType string // "" when it does not say
	// AuthMethod is how it wants to prove itself, AuthMethodNone for not at all.
	AuthMethod string
	Grants     []oauth.GrantType
	ReturnURLs []string
}

// AuthMethodNone is the token_endpoint_auth_method of applications that keep no secret.
const AuthMethodNone = "none"

// Kind is the one whose rules the application has to live by. ok is false when it asks for no grant that there is.
func (s SelfRegistration) Kind() (k Kind, ok bool) {
	switch {
	case slices.Contains(s.Grants, oauth.GrantAuthorizationCode):
		switch {
		case s.ApplicationType == ApplicationTypeNative, s.ApplicationType == "" && s.returnsToDevice():
			return Native, true
		case s.AuthMethod == AuthMethodNone:
			return SinglePage, true
		}
		return Web, true
	case slices.Contains(s.Grants, oauth.GrantDeviceCode):
		return Device, true
	case slices.Contains(s.Grants, oauth.GrantClientCredentials):
		return Service, true
	}
	return Web, false
}

// returnsToDevice reports whether users come back to a program on their own device. Tools on a command line seldom say
// that they are native, and listen on whichever port is free.
func (s SelfRegistration) returnsToDevice() bool {
	local := 0
	for _, u := range s.ReturnURLs {
		if (ReturnURL{Value: u}).UsesOwnScheme() {
			return true
		}
		if a, ok := cutAddress(u); ok && a.scheme == "http" && isLoopback(a.host) {
			local++
		}
	}
	return local > 0 && local == len(s.ReturnURLs) && s.AuthMethod == AuthMethodNone
}

// ApplicationType is the kind in the words of registration.
func (k Kind) ApplicationType() string {
	if k == Native || k == Device {
		return ApplicationTypeNative
	}
	return ApplicationTypeWeb
}

// May reports whether the profile may use a grant. One that registered itself has those that its kind is made for, and
// no other: nobody has looked at what it might do with more.
func (p *SecurityProfile) May(g oauth.GrantType) bool {
	if !p.Settings.Kind.May(g) {
		return false
	}
	if !p.Dynamic {
		return true
	}
	switch p.Settings.Kind {
	case Service:
		return g == oauth.GrantClientCredentials
	case Device:
		return g == oauth.GrantDeviceCode || g == oauth.GrantRefreshToken
	default:
		return g == oauth.GrantAuthorizationCode || g == oauth.GrantRefreshToken
	}
}

// MustProveItself reports whether the application has to authenticate wherever it can. Profiles made in the console may
// leave their secret out where PKCE stands in for it; one that registered itself has said how it proves itself.
func (p *SecurityProfile) MustProveItself() bool {
	return p.Dynamic && !p.Settings.Kind.Public()
}

// ParseSelfDescription checks what an application that registers itself says for people to read. The name is required,
// the privacy notice is not (RFC 7591 section 2).
func ParseSelfDescription(name, privacyURL string) (ProfileForm, FieldErrors) {
	form := ProfileForm{Name: strings.TrimSpace(name), PrivacyURL: strings.TrimSpace(privacyURL)}
	var errs FieldErrors
	if message, suggestion := checkProfileText(form.Name, NameMaxChars, "Write a name that tells what the application is for."); message != "" {
		errs = append(errs, FieldError{FieldName, message, suggestion})
	}
	if form.PrivacyURL != "" {
		if message := checkPrivacyURL(form.PrivacyURL); message != "" {
			errs = append(errs, FieldError{FieldPrivacyURL, message, suggestPrivacyURL(form.PrivacyURL, message)})
		}
	}
	if errs != nil {
		return ProfileForm{}, errs
	}
	return form, nil
}

// UnnamedApplication is what an application without a name is called: by the host that its users come back to. It is cut
// from the left, so that what is left ends in the domain that somebody owns.
func UnnamedApplication(urls []ReturnURL) string {
	name := "Unnamed application"
	if len(urls) > 0 {
		if scheme, _, ok := cutOwnScheme(urls[0].Value); ok {
			name = scheme
		} else if a, ok := cutAddress(urls[0].Value); ok {
			name = a.host
		}
	}
	return name[max(0, len(name)-NameMaxChars):]
}
