package region

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"gatelodge/internal/account"
)

// Paths at which a region takes answers from its neighbours. They are the same at all,
// so that one can be admitted knowing no more than its issuer.
const (
	ReturnPath = "/sign-in/return"
	EndedPath  = "/sign-in/ended"
	HomePath   = "/"
)

// Region is one cell of the service.
type Region struct {
	// Name is how commands and addresses call it, Title how people do.
	Name, Title string
	Issuer      string
	// Countries are at home there (ISO 3166-1 alpha-2).
	Countries []string
	// Credentials are those of this region there.
	Credentials Credentials
}

// Host is the region's address as people read it.
func (r Region) Host() string {
	_, host, _ := strings.Cut(r.Issuer, "://")
	return host
}

// Credentials are with which one region knows another.
type Credentials struct {
	ClientID string `json:"client_id"`
	// ClientSecret is not to be printed.
	ClientSecret string `json:"client_secret"`
}

// Format prints nothing of the secret.
func (c Credentials) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "{%s}", c.ClientID) }

// Setting is what one region knows of all. The zero value is a service that has no
// regions.
type Setting struct {
	This       Region
	Neighbours []Region
}

// NewSetting sees the regions of a service from the one with this issuer, whose
// neighbours the others are. Its error joins one for everything that is wrong.
func NewSetting(all []Region, issuer string) (Setting, error) {
	var s Setting
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	homes, issuers := map[string]string{}, map[string]string{}
	found := false
	for _, r := range all {
		if err := CheckName(r.Name); err != nil {
			errs = append(errs, err)
		}
		if r.Title == "" {
			fail("%s has no title: write what people call the region, such as title: Europe", r.Name)
		}
		if other, taken := issuers[r.Issuer]; taken {
			fail("%s and %s have the same issuer", other, r.Name)
		}
		issuers[r.Issuer] = r.Name
		for _, country := range r.Countries {
			code, err := account.ParseCountry(country)
			if f, ok := errors.AsType[*account.FieldError](err); ok {
				hint := ""
				if f.Suggestion != "" {
					hint = ": write " + f.Suggestion
				}
				fail("%s: %q is not the two letters of a country%s", r.Name, country, hint)
				continue
			}
			if code != country {
				fail("%s: write the country %s in capital letters", r.Name, code)
			}
			if other, taken := homes[code]; taken {
				fail("%s is at home both in %s and in %s", code, other, r.Name)
			}
			homes[code] = r.Name
		}
		if r.Issuer == issuer {
			s.This, found = r, true
			continue
		}
		if r.Credentials.ClientID == "" && len(r.Countries) > 0 {
			fail("%s has countries and no credentials-file, so nobody who lives there could sign in here: run gatelodge region admit there, and name the file that it prints", r.Name)
		}
		s.Neighbours = append(s.Neighbours, r)
	}
	if !found {
		fail("no region has this server’s issuer, %s: one of them has to be this one", issuer)
	}
	if len(all) == 1 && found {
		fail("there is only one region: leave the setting out, or name its neighbours")
	}
	return s, errors.Join(errs...)
}

// CheckName says what is wrong with the name of a region, nil when nothing is.
func CheckName(name string) error {
	if name == "" || len(name) > 20 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return fmt.Errorf("%q cannot be the name of a region: write up to 20 small letters, digits and hyphens, such as eu", name)
	}
	return nil
}

// Home gives the neighbour that a country is at home in; ok is false for one that is
// at home here, as are all that nobody names.
func (s Setting) Home(country string) (n Region, ok bool) {
	for _, n := range s.Neighbours {
		if slices.Contains(n.Countries, country) {
			return n, true
		}
	}
	return Region{}, false
}

// Named gives the neighbour of a name.
func (s Setting) Named(name string) (Region, bool) {
	return s.find(func(n Region) bool { return n.Name == name })
}

// At gives the neighbour that has an issuer.
func (s Setting) At(issuer string) (Region, bool) {
	return s.find(func(n Region) bool { return n.Issuer == issuer })
}

func (s Setting) find(is func(Region) bool) (Region, bool) {
	i := slices.IndexFunc(s.Neighbours, is)
	if i < 0 {
		return Region{}, false
	}
	return s.Neighbours[i], true
}

// Doors are the neighbours in which people of this region may have their account.
func (s Setting) Doors() []Region {
	return slices.DeleteFunc(slices.Clone(s.Neighbours), func(n Region) bool { return n.Credentials.ClientID == "" })
}
