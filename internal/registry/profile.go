package registry

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"gatelodge/internal/oauth"
)

// Limits of the profile form, in characters.
const (
	NameMaxChars        = 50
	DescriptionMaxChars = 250
	PrivacyURLMaxChars  = 1000
)

// Names of the profile form's fields.
const (
	FieldName        = "name"
	FieldDescription = "description"
	FieldPrivacyURL  = "privacy_url"
)

// SecurityProfile is what a developer registers for one application. The protocol calls it the client.
type SecurityProfile struct {
	ID          int64
	DeveloperID int64
	Client      ClientKey
	Application ApplicationKey
	Name        string // shown to users on the consent page
	Description string // shown to the developer only
	PrivacyURL  string
	Logo        LogoHash // zero: none

	CreatedAt   time.Time
	UpdatedAt   time.Time
	LastUsedAt  time.Time // zero: never
	SuspendedAt time.Time // zero: not suspended
	Version     int64     // counts edits, so that two people editing at once notice each other

	Settings   Settings
	ReturnURLs []ReturnURL
	Origins    []AllowedOrigin
	Secrets    []ClientSecret
	// PostLogoutURLs are where the application may have users sent after they signed
	// out (RP-Initiated Logout 1.0).
	PostLogoutURLs []ReturnURL
	Devices        []DeviceClient
	// Granted are the scopes that the operator has granted to the profile.
	Granted oauth.ScopeSet
	// Audience identifies the API that the profile is (RFC 8707), "" for none. The
	// operator sets it.
	Audience string
	// Dynamic: the application registered itself (RFC 7591), so nobody vouches for it.
	Dynamic bool
	// Region names the other region of this service that the profile is, "" for every
	// application. The operator sets it.
	Region string
}

// DeviceClient is a client ID of a profile for televisions and other devices, which
// have no secret (login-with-amazon.md 2.7).
type DeviceClient struct {
	ID        int64
	Client    ClientKey
	Name      string // the developer's own word for it
	CreatedAt time.Time
}

// Device finds a device client by its key.
func (p *SecurityProfile) Device(key ClientKey) (DeviceClient, bool) {
	i := slices.IndexFunc(p.Devices, func(d DeviceClient) bool { return d.Client == key })
	if i < 0 {
		return DeviceClient{}, false
	}
	return p.Devices[i], true
}

// MayAsk reports whether the profile may ask for a scope. One that registered itself
// asks for what it was granted at that time, and for nothing else.
func (p *SecurityProfile) MayAsk(s Scope) bool {
	return p.Granted.Has(s.Number) || !s.Restricted && !p.Dynamic
}

// ProfileForm holds the text fields of the profile form once they are accepted.
type ProfileForm struct{ Name, Description, PrivacyURL string }

// ParseProfileForm checks the text fields of the profile form, trimmed of surrounding white space. All three are
// required (login-with-amazon.md 2.3).
func ParseProfileForm(name, description, privacyURL string) (ProfileForm, FieldErrors) {
	form := ProfileForm{
		Name:        strings.TrimSpace(name),
		Description: strings.TrimSpace(description),
		PrivacyURL:  strings.TrimSpace(privacyURL),
	}
	var errs FieldErrors
	check := func(field, message, suggestion string) {
		if message != "" {
			errs = append(errs, FieldError{field, message, suggestion})
		}
	}
	message, suggestion := checkProfileText(form.Name, NameMaxChars,
		"Write a name that tells what the application is for, such as “Video Report Downloader”.")
	check(FieldName, message, suggestion)
	message, suggestion = checkProfileText(form.Description, DescriptionMaxChars,
		"Write a sentence that tells this profile from your others in the list.")
	check(FieldDescription, message, suggestion)
	message = checkPrivacyURL(form.PrivacyURL)
	check(FieldPrivacyURL, message, suggestPrivacyURL(form.PrivacyURL, message))
	if errs != nil {
		return ProfileForm{}, errs
	}
	return form, nil
}

func checkProfileText(s string, maxChars int, ask string) (message, suggestion string) {
	if s == "" {
		return ask, ""
	}
	if message, suggestion = checkText(s, maxChars); message == "" && !isReadable(s) {
		return ask, ""
	}
	return message, suggestion
}

// checkPrivacyURL is laxer than the rule for return URLs: the address is a link for people, never compared and never
// sent anything.
func checkPrivacyURL(s string) string {
	if s == "" {
		return "Write the address of a page that tells users what the application does with their data."
	}
	if message, _ := checkText(s, PrivacyURLMaxChars); message != "" {
		return message
	}
	if strings.ContainsAny(s, " \\\"<>`") {
		return "Write the address without spaces, backslashes, quotation marks or angle brackets."
	}
	scheme, _, ok := strings.Cut(s, ":")
	if scheme = strings.ToLower(scheme); !ok || scheme != "https" && scheme != "http" {
		return "Write a whole address that begins with https:// or http://."
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return "Write a whole address, such as https://www.example.com/privacy; this one cannot be read."
	case u.User != nil:
		return "Write the address without a user name or password before the “@”."
	case u.Hostname() == "":
		return fmt.Sprintf("Write the host after %s://, as in https://www.example.com/privacy.", scheme)
	}
	return ""
}

func suggestPrivacyURL(s, message string) string {
	if message == "" || len(s) > PrivacyURLMaxChars {
		return ""
	}
	suggestion := repairSpelling(s)
	if suggestion == s || checkPrivacyURL(suggestion) != "" {
		return ""
	}
	return suggestion
}
