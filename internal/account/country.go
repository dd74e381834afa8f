package account

import (
	_ "embed"
	"strings"
)

// Country is an entry of ISO 3166-1.
type Country struct {
	Code string // alpha-2
	Name string // in English, as it is commonly said
}

// countries is a line "code name" per country, sorted by name as a reader expects
// (Åland Islands among the A, not after Zimbabwe).
//
//go:embed countries.txt
var countries string

// Countries lists all countries, sorted by name.
func Countries() []Country {
	all := make([]Country, 0, 256)
	for line := range strings.Lines(countries) {
		code, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		all = append(all, Country{Code: code, Name: name})
	}
	return all
}

// CountryName is a country in words, "" for a code that is none.
func CountryName(code string) string {
	for _, c := range Countries() {
		if c.Code == code {
			return c.Name
		}
	}
	return ""
}

// ParseCountry reads a country code and returns it in upper case.
func ParseCountry(s string) (string, error) {
	s = strings.TrimSpace(s)
	e := &FieldError{Field: FieldCountry, Message: "Choose your country from the list."}
	for _, c := range Countries() {
		if asciiLower(s) == asciiLower(c.Code) {
			return c.Code, nil
		}
		if strings.EqualFold(s, c.Name) {
			e.Suggestion = c.Code
		}
	}
	return "", e
}
