package region

import (
	"fmt"
	"strings"
	"testing"
)

func service() []Region {
	creds := Credentials{"amzn1.application-oa2-client.1", "amzn1.oa2-cs.v1.hush"}
	return []Region{
		{Name: "na", Title: "North America", Issuer: "https://na.example.com", Credentials: creds, Countries: []string{"CA", "US"}},
		{Name: "eu", Title: "Europe", Issuer: "https://eu.example.com", Credentials: creds, Countries: []string{"DE", "NO"}},
		{Name: "apac", Title: "Asia Pacific", Issuer: "https://apac.example.com"},
	}
}

func TestNewSetting(t *testing.T) {
	s, err := NewSetting(service(), "https://na.example.com")
	if err != nil {
		t.Fatal(err)
	}
	for country, want := range map[string]string{"DE": "eu", "NO": "eu", "US": "", "JP": "", "": "", "de": ""} {
		if n, ok := s.Home(country); n.Name != want || ok != (want != "") {
			t.Errorf("%s is at home in %q, %t; want %q", country, n.Name, ok, want)
		}
	}
	if n, ok := s.At("https://eu.example.com"); !ok || n.Name != "eu" || n.Host() != "eu.example.com" {
		t.Errorf("at the issuer of eu is %v", n.Name)
	}
	if _, ok := s.At("https://na.example.com"); ok {
		t.Error("this region is a neighbour of its own")
	}
	if _, ok := s.Named("us"); ok || s.This.Name != "na" {
		t.Errorf("this is %q", s.This.Name)
	}
	if doors := s.Doors(); len(doors) != 1 || doors[0].Name != "eu" {
		t.Errorf("%d doors", len(doors))
	}
	if text := fmt.Sprintf("%v %+v %#v", s, s, s); strings.Contains(text, "hush") {
		t.Errorf("printed with the secret: %s", text)
	}
}

func TestWrongSetting(t *testing.T) {
	for name, tc := range map[string]struct {
		change func([]Region) []Region
		want   string
	}{
		"not this one":       {func(r []Region) []Region { return r[1:] }, "no region has this server’s issuer, https://na.example.com: one of them has to be this one"},
		"alone":              {func(r []Region) []Region { return r[:1] }, "there is only one region: leave the setting out, or name its neighbours"},
		"a name":             {func(r []Region) []Region { r[1].Name = "E U"; return r }, `"E U" cannot be the name of a region: write up to 20 small letters, digits and hyphens, such as eu`},
		"no title":           {func(r []Region) []Region { r[1].Title = ""; return r }, "eu has no title: write what people call the region, such as title: Europe"},
		"one issuer for two": {func(r []Region) []Region { r[2].Issuer = r[1].Issuer; return r }, "eu and apac have the same issuer"},
		"a country for two": {func(r []Region) []Region {
			r[2].Countries = []string{"DE"}
			r[2].Credentials = r[1].Credentials
			return r
		}, "DE is at home both in eu and in apac"},
		"no country":           {func(r []Region) []Region { r[1].Countries = []string{"EU"}; return r }, `eu: "EU" is not the two letters of a country`},
		"a country by name":    {func(r []Region) []Region { r[1].Countries = []string{"Norway"}; return r }, `eu: "Norway" is not the two letters of a country: write NO`},
		"a country, small":     {func(r []Region) []Region { r[1].Countries = []string{"no"}; return r }, "eu: write the country NO in capital letters"},
		"nobody could sign in": {func(r []Region) []Region { r[1].Credentials = Credentials{}; return r }, "eu has countries and no credentials-file, so nobody who lives there could sign in here: run gatelodge region admit there, and name the file that it prints"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewSetting(tc.change(service()), "https://na.example.com")
			if err == nil || err.Error() != tc.want {
				t.Errorf("%v, want %s", err, tc.want)
			}
		})
	}
}
