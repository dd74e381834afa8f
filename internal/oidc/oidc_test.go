package oidc

import (
	"slices"
	"testing"
	"time"

	"gatelodge/internal/oauth"
)

var noon = time.Date(2026, time.March, 14, 12, 0, 0, 0, time.UTC) // 1773489600

func wantRefusal(t *testing.T, err *oauth.Error, parameter, reason string) {
	t.Helper()
	description := "The request has an invalid parameter : " + parameter
	if err == nil || err.Code != oauth.InvalidRequest || err.Description != description || err.Reason != reason {
		t.Errorf("%v; want %s (%s)", err, description, reason)
	}
}

func TestAtHash(t *testing.T) {
	// Core appendix A.3.
	if got, want := AtHash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"), "77QmUPtjPfzWtF2AnpK9RQ"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

var alice = User{
	Subject: "248289761001", Name: "Jane Doe", Email: "janedoe@example.com", EmailVerified: true,
	PostalCode: "98101", UpdatedAt: noon.Add(-24 * time.Hour),
}

func TestIDTokenClaims(t *testing.T) {
	least := IDToken{Issuer: "https://server.example.com", Audience: "s6BhdRkqt3", ExpiresAt: noon.Add(time.Hour), IssuedAt: noon, User: alice}
	most := least
	most.AuthTime, most.Nonce, most.ACR, most.AMR = noon.Add(-time.Minute), "n-0S6_WzA2Mj", "urn:example:silver", []string{"pwd", "otp"}
	most.AtHash, most.AuthorizedParty, most.SessionID = "77QmUPtjPfzWtF2AnpK9RQ", "s6BhdRkqt3", "08a5019c"
	most.Release = Name | Email | EmailVerified | Address | UpdatedAt
	for name, tc := range map[string]struct {
		token IDToken
		want  string
	}{
		"least": {least, `{"iss":"https://server.example.com","sub":"248289761001","aud":"s6BhdRkqt3","exp":1773493200,"iat":1773489600}`},
		"most": {most, `{"iss":"https://server.example.com","sub":"248289761001","aud":"s6BhdRkqt3","exp":1773493200,"iat":1773489600,` +
			`"auth_time":1773489540,"nonce":"n-0S6_WzA2Mj","acr":"urn:example:silver","amr":["pwd","otp"],"at_hash":"77QmUPtjPfzWtF2AnpK9RQ",` +
			`"azp":"s6BhdRkqt3","sid":"08a5019c","name":"Jane Doe","email":"janedoe@example.com","email_verified":true,` +
			`"address":{"postal_code":"98101"},"updated_at":1773403200}`},
	} {
		if got, err := tc.token.Claims(); err != nil || string(got) != tc.want {
			t.Errorf("%s: %s, %v\nwant %s", name, got, err, tc.want)
		}
	}
}

func TestUserInfo(t *testing.T) {
	all := Name | Email | EmailVerified | Address | UpdatedAt
	unconfirmed := alice
	unconfirmed.EmailVerified = false
	for name, tc := range map[string]struct {
		user    User
		release ClaimSet
		want    string
	}{
		"openid only":     {alice, 0, `{"sub":"248289761001"}`},
		"name":            {alice, Name, `{"sub":"248289761001","name":"Jane Doe"}`},
		"email alone":     {alice, Email, `{"sub":"248289761001","email":"janedoe@example.com"}`},
		"not verified":    {unconfirmed, Email | EmailVerified, `{"sub":"248289761001","email":"janedoe@example.com","email_verified":false}`},
		"address":         {alice, Address, `{"sub":"248289761001","address":{"postal_code":"98101"}}`},
		"nothing known":   {User{Subject: "248289761001"}, all, `{"sub":"248289761001"}`},
		"name with quote": {User{Subject: "s", Name: `"é" \`}, all, `{"sub":"s","name":"\"é\" \\"}`},
	} {
		if got, err := tc.user.UserInfo(tc.release); err != nil || string(got) != tc.want {
			t.Errorf("%s: %s, %v\nwant %s", name, got, err, tc.want)
		}
	}
}

func TestScopeClaims(t *testing.T) {
	for scope, want := range map[string][]string{
		"openid":         nil,
		"profile":        {"name", "updated_at"},
		"email":          {"email", "email_verified"},
		"address":        {"address"},
		"phone":          nil,
		"offline_access": nil,
		"Email":          nil,
	} {
		if got := slices.Collect(ScopeClaims(scope).Names()); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", scope, got, want)
		}
	}
	for _, name := range []string{"name", "email", "email_verified", "address", "updated_at"} {
		if got := slices.Collect(ClaimNamed(name).Names()); !slices.Equal(got, []string{name}) {
			t.Errorf("ClaimNamed(%s) = %v", name, got)
		}
	}
	for _, name := range []string{"", "sub", "phone_number", "NAME"} {
		if got := ClaimNamed(name); got != 0 {
			t.Errorf("ClaimNamed(%s) = %d", name, got)
		}
	}
}

func BenchmarkIDTokenClaims(b *testing.B) {
	token := IDToken{
		Issuer: "https://server.example.com", Audience: "s6BhdRkqt3", ExpiresAt: noon.Add(time.Hour), IssuedAt: noon,
		AuthTime: noon, Nonce: "n-0S6_WzA2Mj", AtHash: "77QmUPtjPfzWtF2AnpK9RQ", SessionID: "08a5019c", User: alice,
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := token.Claims(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUserInfo(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := alice.UserInfo(Name | Email | EmailVerified); err != nil {
			b.Fatal(err)
		}
	}
}

func TestAccessTokenClaims(t *testing.T) {
	least := AccessToken{
		Issuer: "https://server.example.com", Subject: "5ba552d67", Audience: []string{"https://rs.example.com/"}, ClientID: "s6BhdRkqt3",
		ID: "dbe39bf3a3ba4238a513f51d6e1691c4", IssuedAt: noon, ExpiresAt: noon.Add(time.Hour),
	}
	most := least
	most.Scope, most.AuthTime, most.KeyThumbprint = "read write", noon.Add(-time.Minute), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
	most.Audience, most.EndsWith = append(most.Audience, "https://server.example.com"), []string{"a", "b"}
	for name, tc := range map[string]struct {
		token AccessToken
		want  string
	}{
		"least": {least, `{"iss":"https://server.example.com","sub":"5ba552d67","aud":["https://rs.example.com/"],"client_id":"s6BhdRkqt3",` +
			`"jti":"dbe39bf3a3ba4238a513f51d6e1691c4","iat":1773489600,"exp":1773493200}`},
		"most": {most, `{"iss":"https://server.example.com","sub":"5ba552d67","aud":["https://rs.example.com/","https://server.example.com"],"client_id":"s6BhdRkqt3",` +
			`"scope":"read write","jti":"dbe39bf3a3ba4238a513f51d6e1691c4","iat":1773489600,"exp":1773493200,"auth_time":1773489540,` +
			`"cnf":{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"},"ends_with":["a","b"]}`},
	} {
		if got, err := tc.token.Claims(); err != nil || string(got) != tc.want {
			t.Errorf("%s: %s, %v\nwant %s", name, got, err, tc.want)
		}
	}
}
