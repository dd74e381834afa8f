package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/knadh/koanf/parsers/toml/v2"
	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/v2"

	"gatelodge/internal/region"
)

const regionsFlag = "regions"

// regionFields are what stands in the file of a region.
var regionFields = []string{"title", "issuer", "countries", "credentials-file"}

// LoadRegions reads the file of the regions as the region with this issuer sees it. All
// regions can have the same file: each finds itself by its issuer, and only the
// credentials that it names beside it differ. The error joins an [*Error] for
// everything that is wrong.
func LoadRegions(path, issuer string) (region.Setting, error) {
	fail := func(err error) *Error {
		return &Error{Setting: regionsFlag, Source: "--" + regionsFlag, Problem: fmt.Sprintf("%s: %v", path, err)}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return region.Setting{}, fail(err)
	}
	var parser koanf.Parser
	switch filepath.Ext(path) {
	case ".yaml", ".yml":
		parser = yaml.Parser()
	case ".toml":
		parser = toml.Parser()
	default:
		return region.Setting{}, fail(errors.New("the name must end in .yaml, .yml or .toml"))
	}
	tree, err := parser.Unmarshal(text)
	if err != nil {
		return region.Setting{}, fail(err)
	}
	var all []region.Region
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		r, problems := readRegion(name, tree[name], filepath.Dir(path), issuer)
		for _, problem := range problems {
			errs = append(errs, fail(fmt.Errorf("%s: %w", name, problem)))
		}
		all = append(all, r)
	}
	if len(errs) > 0 {
		return region.Setting{}, errors.Join(errs...)
	}
	s, err := region.NewSetting(all, issuer)
	if err != nil {
		return region.Setting{}, fail(err)
	}
	return s, nil
}

func readRegion(name string, value any, dir, this string) (r region.Region, problems []error) {
	fail := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	r.Name = name
	fields, ok := value.(map[string]any)
	if !ok {
		fail("write title and issuer of the region below its name")
		return r, problems
	}
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		if !slices.Contains(regionFields, field) {
			fail("there is no %q; there are title, issuer, countries and credentials-file", field)
		}
	}
	text := func(field string) string {
		value, there := fields[field]
		s, ok := value.(string)
		if there && !ok {
			fail("%s must be text: put it in quotes", field)
		}
		return s
	}
	r.Title, r.Issuer = text("title"), text("issuer")
	if problem := CheckIssuer(r.Issuer); problem != "" {
		fail("issuer: %s", problem)
	}
	if countries, there := fields["countries"]; there {
		list, ok := countries.([]any)
		if !ok {
			fail("countries must be a list, such as [DE, FR]")
		}
		for _, c := range list {
			code, ok := c.(string)
			if !ok {
				fail("countries: put %v in quotes", c)
			}
			r.Countries = append(r.Countries, code)
		}
	}
	file := text("credentials-file")
	if file == "" || r.Issuer == this {
		return r, problems // our own are for the others
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join(dir, file)
	}
	var err error
	if r.Credentials, err = readCredentials(file); err != nil {
		fail("credentials-file: %v", err)
	}
	return r, problems
}

// readCredentials reads what gatelodge region admit --json printed at the other region.
func readCredentials(path string) (region.Credentials, error) {
	var c region.Credentials
	text, err := os.ReadFile(path)
	if err != nil {
		return c, fmt.Errorf("%w: gatelodge region admit --json prints it at that region", err)
	}
	// What a parser says of it could hold a part of the secret.
	if json.Unmarshal(text, &c) != nil || c.ClientID == "" || c.ClientSecret == "" {
		return region.Credentials{}, fmt.Errorf("%s: this is not what gatelodge region admit --json prints: an object with client_id and client_secret", path)
	}
	return c, nil
}
