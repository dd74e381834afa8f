package oidc

import (
	"strconv"
	"strings"
	"time"

	"gatelodge/internal/oauth"
)

// Prompt is the set of values of the parameter prompt (Core section 3.1.2.1).
type Prompt uint8

const (
	PromptNone Prompt = 1 << iota
	PromptLogin
	PromptConsent
	PromptSelectAccount
)

// PromptValues are the names of the values, as metadata gives them.
func PromptValues() []string { return []string{"none", "login", "consent", "select_account"} }

// ParsePrompt reads the values. Those that are not known are ignored.
func ParsePrompt(values []string) (Prompt, *oauth.Error) {
	var p Prompt
	for _, value := range values {
		switch value {
		case "none":
			p |= PromptNone
		case "login":
			p |= PromptLogin
		case "consent":
			p |= PromptConsent
		case "select_account":
			p |= PromptSelectAccount
		}
	}
	if p.Has(PromptNone) {
		for _, value := range values {
			// Core section 3.1.2.1: "none with any other value" is an error.
			if value != "none" {
				return 0, oauth.InvalidParameter("prompt").Because("The prompt has none together with another value.")
			}
		}
	}
	return p, nil
}

// Has reports whether the value is in the set.
func (p Prompt) Has(value Prompt) bool { return p&value != 0 }

// MaxAge is the parameter max_age (Core section 3.1.2.1). The zero value means that
// it was not sent, which is not the same as an age of zero.
type MaxAge struct {
	Age  time.Duration
	Sent bool
}

// maxMaxAge is ten years: more is as good as no limit, and would overflow.
const maxMaxAge = 10 * 365 * 24 * 60 * 60

// ParseMaxAge reads the parameter; "" means that it was not sent.
func ParseMaxAge(value string) (MaxAge, *oauth.Error) {
	if value == "" {
		return MaxAge{}, nil
	}
	malformed := oauth.InvalidParameter("max_age").Because("The max_age is not a number of seconds, 0 or more.")
	if strings.Trim(value, "0123456789") != "" {
		return MaxAge{}, malformed // a sign, a fraction, an exponent
	}
	seconds, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		seconds = maxMaxAge // only too large is left
	}
	return MaxAge{Age: time.Duration(min(seconds, maxMaxAge)) * time.Second, Sent: true}, nil
}

// Reauthenticate reports whether the user must sign in again before the request is
// answered. Whoever has signed in since the request arrived has done so, whatever
// it demands: else max_age=0, which stands for prompt=login, could never be met.
// A zero authTime means that nobody is signed in.
func Reauthenticate(p Prompt, m MaxAge, authTime, requestedAt, now time.Time) bool {
	switch {
	case authTime.IsZero():
		return true
	case !authTime.Before(requestedAt):
		return false
	default:
		return p.Has(PromptLogin) || m.Sent && now.Sub(authTime) > m.Age
	}
}

// maxPreferences is how many values of a list in order of preference are read.
const maxPreferences = 10

// ParseACRValues reads the parameter acr_values: classes of authentication in order
// of preference, none of which has to be met (Core section 3.1.2.1).
func ParseACRValues(value string) []string {
	values := strings.Fields(value)
	return values[:min(len(values), maxPreferences)]
}

// ParseUILocales reads the parameter ui_locales: language tags (RFC 5646) in order
// of preference. What is none is ignored, for no error should come of it (Core
// section 3.1.2.1).
func ParseUILocales(value string) []string {
	var tags []string
	for tag := range strings.FieldsSeq(value) {
		if isLanguageTag(tag) && len(tags) < maxPreferences {
			tags = append(tags, tag)
		}
	}
	return tags
}

// isLanguageTag checks the shape of RFC 5646 section 2.1: subtags of up to eight
// letters and digits, the first of at least two letters.
func isLanguageTag(s string) bool {
	if len(s) > 35 { // section 4.4.1
		return false
	}
	first := true
	for subtag := range strings.SplitSeq(s, "-") {
		if subtag == "" || len(subtag) > 8 || first && len(subtag) < 2 {
			return false
		}
		for i := range len(subtag) {
			c := subtag[i] | 0x20
			if isLetter := 'a' <= c && c <= 'z'; !isLetter && (first || subtag[i] < '0' || subtag[i] > '9') {
				return false
			}
		}
		first = false
	}
	return true
}
