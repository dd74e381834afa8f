package oidc

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseLogoutRequest(t *testing.T) {
	for name, tc := range map[string]struct {
		values url.Values
		want   LogoutRequest
	}{
		"nothing": {nil, LogoutRequest{}},
		"all": {
			url.Values{"id_token_hint": {"a.b.c"}, "logout_hint": {"jane"}, "client_id": {"s6BhdRkqt3"},
				"post_logout_redirect_uri": {"https://client.example.org/out?a=b"}, "state": {"af0ifjsldkj"}, "ui_locales": {"fr en"}},
			LogoutRequest{IDTokenHint: "a.b.c", LogoutHint: "jane", ClientID: "s6BhdRkqt3",
				PostLogoutRedirectURI: "https://client.example.org/out?a=b", State: "af0ifjsldkj", UILocales: []string{"fr", "en"}},
		},
		"without values":    {url.Values{"state": {""}, "client_id": {}}, LogoutRequest{}},
		"not known, thrice": {url.Values{"utm": {"a", "b", "\xff"}, "State": {"s"}}, LogoutRequest{}},
		"the longest state": {url.Values{"state": {strings.Repeat("s", 4096)}}, LogoutRequest{State: strings.Repeat("s", 4096)}},
	} {
		got, err := ParseLogoutRequest(tc.values)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for name, tc := range map[string]struct {
		values            url.Values
		parameter, reason string
	}{
		"twice":         {url.Values{"client_id": {"a", "a"}}, "client_id", "The parameter client_id was sent 2 times."},
		"first empty":   {url.Values{"post_logout_redirect_uri": {"", "https://evil.example"}}, "post_logout_redirect_uri", "The parameter post_logout_redirect_uri was sent 2 times."},
		"not UTF-8":     {url.Values{"state": {"\xff"}}, "state", "The parameter state is not UTF-8 text, or holds a zero byte."},
		"zero byte":     {url.Values{"logout_hint": {"a\x00"}}, "logout_hint", "The parameter logout_hint is not UTF-8 text, or holds a zero byte."},
		"too long":      {url.Values{"state": {strings.Repeat("s", 4097)}}, "state", "The parameter state is 4097 bytes long; at most 4096 are read."},
		"hint too long": {url.Values{"id_token_hint": {strings.Repeat("s", 8193)}}, "id_token_hint", "The parameter id_token_hint is 8193 bytes long; at most 8192 are read."},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseLogoutRequest(tc.values)
			wantRefusal(t, err, tc.parameter, tc.reason)
			if diff := cmp.Diff(LogoutRequest{}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLogoutTokenClaims(t *testing.T) {
	// The example of Back-Channel Logout section 2.4, with an exp.
	token := LogoutToken{Issuer: "https://server.example.com", Subject: "248289761001", Audience: "s6BhdRkqt3",
		IssuedAt: time.Unix(1471566154, 0), ExpiresAt: time.Unix(1471569754, 0), ID: "bWJq", SessionID: "08a5019c-17e1-4977-8f42-65a12843ea02"}
	const events = `"events":{"http://schemas.openid.net/event/backchannel-logout":{}}}`
	for name, tc := range map[string]struct {
		change func(*LogoutToken)
		want   string
	}{
		"both": {func(*LogoutToken) {}, `{"iss":"https://server.example.com","sub":"248289761001","aud":"s6BhdRkqt3","iat":1471566154,"exp":1471569754,` +
			`"jti":"bWJq","sid":"08a5019c-17e1-4977-8f42-65a12843ea02",` + events},
		"every session of a user": {func(l *LogoutToken) { l.SessionID = "" }, `{"iss":"https://server.example.com","sub":"248289761001","aud":"s6BhdRkqt3",` +
			`"iat":1471566154,"exp":1471569754,"jti":"bWJq",` + events},
		"one session": {func(l *LogoutToken) { l.Subject = "" }, `{"iss":"https://server.example.com","aud":"s6BhdRkqt3","iat":1471566154,"exp":1471569754,` +
			`"jti":"bWJq","sid":"08a5019c-17e1-4977-8f42-65a12843ea02",` + events},
	} {
		changed := token
		tc.change(&changed)
		if got, err := changed.Claims(); err != nil || string(got) != tc.want {
			t.Errorf("%s: %s, %v\nwant %s", name, got, err, tc.want)
		}
	}
	if got, err := (LogoutToken{Issuer: "i", Audience: "a", ID: "j"}).Claims(); err == nil {
		t.Errorf("about nobody: %s", got)
	}
}
