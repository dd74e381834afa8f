package registry

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseProfileForm(t *testing.T) {
	got, errs := ParseProfileForm(" Video Report Downloader ", "Fetches reports\n", "\thttps://slate.example/privacy?app=7#top ")
	if errs != nil {
		t.Fatal(errs)
	}
	want := ProfileForm{"Video Report Downloader", "Fetches reports", "https://slate.example/privacy?app=7#top"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseProfileFormNamesEveryBadField(t *testing.T) {
	got, errs := ParseProfileForm("", "", "")
	if diff := cmp.Diff(ProfileForm{}, got); diff != "" {
		t.Error(diff)
	}
	var fields []string
	for _, e := range errs {
		fields = append(fields, e.Field)
	}
	if diff := cmp.Diff([]string{"name", "description", "privacy_url"}, fields); diff != "" {
		t.Error(diff)
	}
}

func TestParseProfileFormRefuses(t *testing.T) {
	const fine, page = "fine", "https://www.example.com/privacy"
	tests := map[string]struct {
		name, description, privacyURL string
		want                          FieldError
	}{
		"name too long": {strings.Repeat("é", 51), fine, page,
			FieldError{"name", "Shorten this to 50 characters; it has 51.", ""}},
		"description too long": {fine, strings.Repeat("d", 251), page,
			FieldError{"description", "Shorten this to 250 characters; it has 251.", ""}},
		"line break": {"Video\r\nReport", fine, page,
			FieldError{"name", "Write this on one line, without control characters such as tabs or line breaks.", "Video Report"}},
		"text turned round": {"Downloader\u202egnp.exe", fine, page,
			FieldError{"name", "Write this on one line, without control characters such as tabs or line breaks.", "Downloader gnp.exe"}},
		"not UTF-8": {fine, "caf\xe9", page,
			FieldError{"description", "Write this again: some of its characters did not arrive as valid UTF-8.", ""}},
		"invisible name": {"\u200b\u200b", fine, page,
			FieldError{"name", "Write a name that tells what the application is for, such as “Video Report Downloader”.", ""}},
		"privacy URL too long": {fine, fine, "https://www.example.com/" + strings.Repeat("p", 977),
			FieldError{"privacy_url", "Shorten this to 1000 characters; it has 1001.", ""}},
		"privacy URL without scheme": {fine, fine, "www.example.com/privacy",
			FieldError{"privacy_url", "Write a whole address that begins with https:// or http://.", "https://www.example.com/privacy"}},
		"privacy URL mistyped": {fine, fine, "https:/www.example.com/privacy",
			FieldError{"privacy_url", "Write the host after https://, as in https://www.example.com/privacy.", "https://www.example.com/privacy"}},
		"privacy URL that is a program": {fine, fine, "javascript:alert(1)//https://www.example.com",
			FieldError{"privacy_url", "Write a whole address that begins with https:// or http://.", ""}},
		"privacy URL that is data": {fine, fine, "data:text/html,privacy",
			FieldError{"privacy_url", "Write a whole address that begins with https:// or http://.", ""}},
		"privacy URL with user name": {fine, fine, "https://www.example.com@evil.example/",
			FieldError{"privacy_url", "Write the address without a user name or password before the “@”.", ""}},
		"privacy URL with backslash": {fine, fine, `https://evil.example\.example.com/`,
			FieldError{"privacy_url", "Write the address without spaces, backslashes, quotation marks or angle brackets.", "https://evil.example/.example.com/"}},
		"privacy URL with a line break": {fine, fine, "https://www.example.com/pri\nvacy",
			FieldError{"privacy_url", "Write this on one line, without control characters such as tabs or line breaks.", page}},
		"privacy URL without host": {fine, fine, "https:///privacy",
			FieldError{"privacy_url", "Write the host after https://, as in https://www.example.com/privacy.", "https://privacy"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			form, errs := ParseProfileForm(tt.name, tt.description, tt.privacyURL)
			if diff := cmp.Diff(FieldErrors{tt.want}, errs); diff != "" {
				t.Error(diff)
			}
			if form != (ProfileForm{}) {
				t.Errorf("a form beside errors: %+v", form)
			}
			if got := errs.Of(tt.want.Field); got != tt.want {
				t.Errorf("Of(%q) = %+v", tt.want.Field, got)
			}
		})
	}
}

func TestParseProfileFormAtTheLimits(t *testing.T) {
	name, description := strings.Repeat("名", 50), strings.Repeat("d", 250)
	page := "http://www.example.com/" + strings.Repeat("p", 977)
	if _, errs := ParseProfileForm(name, description, page); errs != nil {
		t.Error(errs)
	}
}
