package oidc

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParsePrompt(t *testing.T) {
	for value, want := range map[string]Prompt{
		"":                             0,
		"none":                         PromptNone,
		"none none":                    PromptNone,
		"login":                        PromptLogin,
		"login consent":                PromptLogin | PromptConsent,
		"consent select_account login": PromptLogin | PromptConsent | PromptSelectAccount,
		"create":                       0,
		"login create":                 PromptLogin,
		"Login":                        0,
	} {
		got, err := ParsePrompt(strings.Fields(value))
		if err != nil || got != want {
			t.Errorf("%q: %d, %v; want %d", value, got, err, want)
		}
	}
	for _, value := range []string{"none login", "consent none", "none select_account", "none create"} {
		got, err := ParsePrompt(strings.Fields(value))
		wantRefusal(t, err, "prompt", "The prompt has none together with another value.")
		if got != 0 {
			t.Errorf("%q: %d", value, got)
		}
	}
	for _, value := range PromptValues() {
		if got, err := ParsePrompt([]string{value}); err != nil || got == 0 {
			t.Errorf("%s is in the metadata, and parsed as %d, %v", value, got, err)
		}
	}
}

func TestParseMaxAge(t *testing.T) {
	for value, want := range map[string]MaxAge{
		"":                        {},
		"0":                       {0, true},
		"000":                     {0, true},
		"3600":                    {time.Hour, true},
		"315360000":               {87600 * time.Hour, true},
		"315360001":               {87600 * time.Hour, true},
		"9223372036854775807":     {87600 * time.Hour, true},
		"99999999999999999999999": {87600 * time.Hour, true},
	} {
		if got, err := ParseMaxAge(value); err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", value, got, err, want)
		}
	}
	for _, value := range []string{"-1", "+1", "1.5", "1e3", "0x10", " 1", "1 ", "one", "1_000", "٣"} {
		got, err := ParseMaxAge(value)
		wantRefusal(t, err, "max_age", "The max_age is not a number of seconds, 0 or more.")
		if got != (MaxAge{}) {
			t.Errorf("%q: %+v", value, got)
		}
	}
}

func TestReauthenticate(t *testing.T) {
	hour, zero := MaxAge{time.Hour, true}, MaxAge{0, true}
	requested := noon
	for name, tc := range map[string]struct {
		prompt   Prompt
		maxAge   MaxAge
		authTime time.Time
		now      time.Time
		want     bool
	}{
		"nobody is signed in":              {0, MaxAge{}, time.Time{}, noon, true},
		"nothing demanded":                 {0, MaxAge{}, noon.AddDate(-1, 0, 0), noon, false},
		"login":                            {PromptLogin, MaxAge{}, noon.Add(-1), noon, true},
		"login, and done":                  {PromptLogin, MaxAge{}, noon.Add(time.Minute), noon.Add(2 * time.Minute), false},
		"login, in the moment of asking":   {PromptLogin, MaxAge{}, noon, noon, false},
		"consent":                          {PromptConsent | PromptSelectAccount, MaxAge{}, noon.Add(-time.Hour), noon, false},
		"young enough":                     {0, hour, noon.Add(-time.Hour), noon, false},
		"too old":                          {0, hour, noon.Add(-time.Hour - 1), noon, true},
		"too old by now":                   {0, hour, noon.Add(-time.Hour), noon.Add(time.Second), true},
		"zero":                             {0, zero, noon.Add(-1), noon, true},
		"zero, and done":                   {0, zero, noon.Add(time.Minute), noon.Add(time.Hour), false},
		"an hour, done more than that ago": {0, hour, noon.Add(time.Minute), noon.Add(2 * time.Hour), false},
		"none cannot sign in, and has to":  {PromptNone, hour, noon.Add(-2 * time.Hour), noon, true},
		"clock was set back since sign-in": {0, hour, noon.Add(time.Hour), noon, false},
	} {
		if got := Reauthenticate(tc.prompt, tc.maxAge, tc.authTime, requested, tc.now); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestParseUILocales(t *testing.T) {
	for value, want := range map[string][]string{
		"":                                nil,
		"fr-CA fr en":                     {"fr-CA", "fr", "en"},
		"  de   en ":                      {"de", "en"},
		"zh-Hant-TW de-1996 sl-IT-nedis":  {"zh-Hant-TW", "de-1996", "sl-IT-nedis"},
		"e en":                            {"en"},
		"en- -en en--US 1n en_US e1":      nil,
		"../../etc <b> *":                 nil,
		"abcdefghi en-abcdefghi":          nil,
		"en-" + strings.Repeat("a1-", 11): nil,
		"äö":                              nil,
		strings.Repeat("en ", 11):         strings.Fields(strings.Repeat("en ", 10)),
	} {
		if diff := cmp.Diff(want, ParseUILocales(value)); diff != "" {
			t.Errorf("%q: %s", value, diff)
		}
	}
}

func TestParseACRValues(t *testing.T) {
	if diff := cmp.Diff([]string{"urn:mace:incommon:iap:silver", "1"}, ParseACRValues(" urn:mace:incommon:iap:silver  1")); diff != "" {
		t.Error(diff)
	}
	if got := ParseACRValues(strings.Repeat("a ", 500)); len(got) != 10 {
		t.Errorf("%d values", len(got))
	}
}
