package oauth

import (
	"strings"
	"testing"
)

func TestParsePresented(t *testing.T) {
	const invalidToken, invalidRequest = InvalidToken, InvalidRequest
	one := func(s string) []string { return []string{s} }
	tests := []struct {
		name                      string
		authorization, amazonsOwn []string
		query                     string
		want                      string
		code                      ErrorCode
		proved                    bool
	}{
		{"RFC 9449 section 7.1", one("DPoP Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"), nil, "", "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU", "", true},
		{"DPoP in other case", one("dpop  gl_at_a "), nil, "", "gl_at_a", "", true},
		{"DPoP alone", one("DPoP"), nil, "", "", invalidToken, true},
		{"DPoP with other characters", one("DPoP a b"), nil, "", "", invalidToken, true},
		{"DPoP and Bearer", []string{"DPoP a", "Bearer a"}, nil, "", "", invalidRequest, false},
		{"DPoP twice", []string{"DPoP a", "DPoP a"}, nil, "", "", invalidRequest, false},
		{"DPoP and query", one("DPoP a"), nil, "access_token=a", "", invalidRequest, false},
		{"nowhere", nil, nil, "", "", "", false},
		{"RFC 6750 section 2.1", one("Bearer mF_9.B5f-4.1JqM"), nil, "", "mF_9.B5f-4.1JqM", "", false},
		{"lower case", one("bearer Atza|IwEB"), nil, "", "Atza|IwEB", "", false},
		{"upper case, more blanks", one("BEARER   Atza|IwEB "), nil, "", "Atza|IwEB", "", false},
		{"encoded in the header", one("Bearer Atza%7CIwEB"), nil, "", "Atza|IwEB", "", false},
		{"Amazon's header", nil, one("Atza|IwEB"), "", "Atza|IwEB", "", false},
		{"Amazon's header, encoded", nil, one("Atza%7cIwEB"), "", "Atza|IwEB", "", false},
		{"query", nil, nil, "access_token=Atza%7CIwEB", "Atza|IwEB", "", false},
		{"query, raw", nil, nil, "access_token=Atza|IwEB", "Atza|IwEB", "", false},
		{"query, encoded twice", nil, nil, "access_token=Atza%257CIwEB", "Atza|IwEB", "", false},
		{"padding", one("Bearer ab+/=="), nil, "", "ab+/==", "", false},
		{"longest", one("Bearer " + strings.Repeat("a", 2048)), nil, "", strings.Repeat("a", 2048), "", false},
		{"other faults do not count", nil, nil, "access_token=a&state=b&state=c", "a", "", false},
		{"another scheme is not a token", one("Basic YTpi"), nil, "access_token=a", "a", "", false},
		{"header and query", one("Bearer a"), nil, "access_token=a", "", invalidRequest, false},
		{"both headers", one("Bearer a"), one("a"), "", "", invalidRequest, false},
		{"Amazon's header and query", nil, one("a"), "access_token=a", "", invalidRequest, false},
		{"two headers", []string{"Bearer a", "Bearer b"}, nil, "", "", invalidRequest, false},
		{"query twice", nil, nil, "access_token=a&access_token=a", "", invalidRequest, false},
		{"scheme alone", one("Bearer"), nil, "", "", invalidToken, false},
		{"padding alone", one("Bearer =="), nil, "", "", invalidToken, false},
		{"padding inside", one("Bearer a=b"), nil, "", "", invalidToken, false},
		{"two words", one("Bearer a b"), nil, "", "", invalidToken, false},
		{"other escapes", one("Bearer a%00"), nil, "", "", invalidToken, false},
		{"line break", nil, nil, "access_token=a%0Ab", "", invalidToken, false},
		{"not ASCII", one("Bearer é"), nil, "", "", invalidToken, false},
		{"too long", one("Bearer " + strings.Repeat("a", 2049)), nil, "", "", invalidToken, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParsePresented(tt.authorization, tt.amazonsOwn, params(t, tt.query))
			wantError(t, err, tt.code, "The request has an invalid parameter : access_token")
			if want := (Presented{tt.want, tt.proved}); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}
