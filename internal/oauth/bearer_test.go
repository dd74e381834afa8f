package oauth

import (
	"strings"
	"testing"
)

func TestParseBearer(t *testing.T) {
	const invalidToken, invalidRequest = InvalidToken, InvalidRequest
	one := func(s string) []string { return []string{s} }
	tests := []struct {
		name                      string
		authorization, amazonsOwn []string
		query                     string
		want                      string
		code                      ErrorCode
	}{
		{"nowhere", nil, nil, "", "", ""},
		{"RFC 6750 section 2.1", one("Bearer mF_9.B5f-4.1JqM"), nil, "", "mF_9.B5f-4.1JqM", ""},
		{"lower case", one("bearer Atza|IwEB"), nil, "", "Atza|IwEB", ""},
		{"upper case, more blanks", one("BEARER   Atza|IwEB "), nil, "", "Atza|IwEB", ""},
		{"encoded in the header", one("Bearer Atza%7CIwEB"), nil, "", "Atza|IwEB", ""},
		{"Amazon's header", nil, one("Atza|IwEB"), "", "Atza|IwEB", ""},
		{"Amazon's header, encoded", nil, one("Atza%7cIwEB"), "", "Atza|IwEB", ""},
		{"query", nil, nil, "access_token=Atza%7CIwEB", "Atza|IwEB", ""},
		{"query, raw", nil, nil, "access_token=Atza|IwEB", "Atza|IwEB", ""},
		{"query, encoded twice", nil, nil, "access_token=Atza%257CIwEB", "Atza|IwEB", ""},
		{"padding", one("Bearer ab+/=="), nil, "", "ab+/==", ""},
		{"longest", one("Bearer " + strings.Repeat("a", 2048)), nil, "", strings.Repeat("a", 2048), ""},
		{"other faults do not count", nil, nil, "access_token=a&state=b&state=c", "a", ""},
		{"another scheme is not a token", one("Basic YTpi"), nil, "access_token=a", "a", ""},
		{"header and query", one("Bearer a"), nil, "access_token=a", "", invalidRequest},
		{"both headers", one("Bearer a"), one("a"), "", "", invalidRequest},
		{"Amazon's header and query", nil, one("a"), "access_token=a", "", invalidRequest},
		{"two headers", []string{"Bearer a", "Bearer b"}, nil, "", "", invalidRequest},
		{"query twice", nil, nil, "access_token=a&access_token=a", "", invalidRequest},
		{"scheme alone", one("Bearer"), nil, "", "", invalidToken},
		{"padding alone", one("Bearer =="), nil, "", "", invalidToken},
		{"padding inside", one("Bearer a=b"), nil, "", "", invalidToken},
		{"two words", one("Bearer a b"), nil, "", "", invalidToken},
		{"other escapes", one("Bearer a%00"), nil, "", "", invalidToken},
		{"line break", nil, nil, "access_token=a%0Ab", "", invalidToken},
		{"not ASCII", one("Bearer é"), nil, "", "", invalidToken},
		{"too long", one("Bearer " + strings.Repeat("a", 2049)), nil, "", "", invalidToken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseBearer(tt.authorization, tt.amazonsOwn, params(t, tt.query))
			wantError(t, err, tt.code, "The request has an invalid parameter : access_token")
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
