package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const regionsFile = `na:
  title: North America
  issuer: https://na.example.com
eu:
  title: Europe
  issuer: https://eu.example.com
  countries: [DE, "NO"]
  credentials-file: eu.json
`

const euCredentials = `{"region":"na","client_id":"amzn1.application-oa2-client.1","client_secret":"amzn1.oa2-cs.v1.hush"}` + "\n"

func writeFiles(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLoadRegions(t *testing.T) {
	toml := `[na]
title = "North America"
issuer = "https://na.example.com"
[eu]
title = "Europe"
issuer = "https://eu.example.com"
countries = ["DE", "NO"]
credentials-file = "eu.json"
`
	dir := writeFiles(t, map[string]string{"regions.yaml": regionsFile, "regions.toml": toml, "eu.json": euCredentials})
	for _, name := range []string{"regions.yaml", "regions.toml"} {
		s, err := LoadRegions(filepath.Join(dir, name), "https://na.example.com")
		if err != nil {
			t.Fatal(err)
		}
		eu, ok := s.Home("NO")
		if s.This.Title != "North America" || !ok || eu.Issuer != "https://eu.example.com" || !slices.Equal(eu.Countries, []string{"DE", "NO"}) ||
			eu.Credentials.ClientID != "amzn1.application-oa2-client.1" || eu.Credentials.ClientSecret != "amzn1.oa2-cs.v1.hush" {
			t.Errorf("%s: %v", name, s)
		}
		// The other has the same file, and not that of its own credentials.
		if err := os.Rename(filepath.Join(dir, "eu.json"), filepath.Join(dir, "away")); err != nil {
			t.Fatal(err)
		}
		if s, err := LoadRegions(filepath.Join(dir, name), "https://eu.example.com"); err != nil || s.This.Name != "eu" {
			t.Errorf("%s, from the other: %v, %v", name, s, err)
		}
		if err := os.Rename(filepath.Join(dir, "away"), filepath.Join(dir, "eu.json")); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLoadRegionsRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		file, text, credentials, want string
	}{
		"not there":         {"", "", "", "no such file"},
		"another kind":      {"regions.json", "{}", "", "the name must end in .yaml, .yml or .toml"},
		"malformed":         {"r.yaml", "na: [", "", "yaml"},
		"empty":             {"r.yaml", "", "", "no region has this server’s issuer"},
		"a list":            {"r.yaml", "na: [x]", "", "na: write title and issuer of the region below its name"},
		"unknown word":      {"r.yaml", strings.Replace(regionsFile, "countries", "contries", 1), euCredentials, `eu: there is no "contries"; there are title, issuer, countries and credentials-file`},
		"a number":          {"r.yaml", strings.Replace(regionsFile, `"NO"`, `5`, 1), euCredentials, `eu: countries: put 5 in quotes`},
		"a country alone":   {"r.yaml", strings.Replace(regionsFile, `[DE, "NO"]`, `DE`, 1), euCredentials, "eu: countries must be a list, such as [DE, FR]"},
		"title a number":    {"r.yaml", strings.Replace(regionsFile, `Europe`, `7`, 1), euCredentials, "eu: title must be text: put it in quotes"},
		"issuer with path":  {"r.yaml", strings.Replace(regionsFile, `eu.example.com`, `eu.example.com/x`, 1), euCredentials, "eu: issuer: \"https://eu.example.com/x\": no path"},
		"issuer in clear":   {"r.yaml", strings.Replace(regionsFile, `https://eu`, `http://eu`, 1), euCredentials, "eu: issuer: http is for loopback only"},
		"no credentials":    {"r.yaml", regionsFile, "", "gatelodge region admit --json prints it at that region"},
		"other credentials": {"r.yaml", regionsFile, `{"client_id": "x", "client_secret": 5, "hush": 1}`, "this is not what gatelodge region admit --json prints"},
		"broken off":        {"r.yaml", regionsFile, euCredentials[:60], "this is not what gatelodge region admit --json prints"},
		"without the file":  {"r.yaml", strings.Replace(regionsFile, "  credentials-file: eu.json\n", "", 1), "", "eu has countries and no credentials-file"},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{}
			if tc.file != "" {
				files[tc.file] = tc.text
			}
			if tc.credentials != "" {
				files["eu.json"] = tc.credentials
			}
			path := filepath.Join(writeFiles(t, files), tc.file)
			if tc.file == "" {
				path += "/regions.yaml"
			}
			_, err := LoadRegions(path, "https://na.example.com")
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.HasPrefix(err.Error(), "--regions: "+filepath.Dir(path)) {
				t.Fatalf("%v, want %q", err, tc.want)
			}
			if strings.Contains(err.Error(), "hush") {
				t.Errorf("the secret is told: %v", err)
			}
		})
	}
}
