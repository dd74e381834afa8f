package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/knadh/koanf/parsers/toml/v2"
	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"
)

const (
	envPrefix = "GATELODGE_"
	envSuffix = "_FILE"
	// fileSuffix is the same in the file of settings.
	fileSuffix = "-file"
	delimiter  = "."
)

// loader gathers the settings of all sources, and everything that is wrong.
type loader struct {
	k      *koanf.Koanf
	source map[string]string // where a setting's value was given
	errs   []error
}

func (l *loader) fail(name, format string, args ...any) {
	source, ok := l.source[name]
	if !ok {
		source = "--" + name
	}
	l.errs = append(l.errs, &Error{Setting: name, Source: source, Problem: fmt.Sprintf(format, args...)})
}

// Load reads the settings from parsed flags, from the environment (as os.Environ
// gives it) and from the file that either names. The error joins an [*Error] for
// each setting that is wrong.
func Load(fs *pflag.FlagSet, environ []string) (Config, error) {
	l := &loader{k: koanf.New(delimiter), source: map[string]string{}}
	if path := configPath(fs, environ); path != "" {
		if err := l.loadFile(path); err != nil {
			return Config{}, err
		}
	}
	if err := l.loadEnv(environ); err != nil {
		return Config{}, err
	}
	if err := l.loadFlags(fs); err != nil {
		return Config{}, err
	}
	c := l.config()
	if err := errors.Join(l.errs...); err != nil {
		return Config{}, err
	}
	return c, nil
}

func configPath(fs *pflag.FlagSet, environ []string) string {
	if f := fs.Lookup(configFlag); f != nil && f.Changed {
		return f.Value.String()
	}
	return variable(environ, envName(configFlag))
}

func envName(setting string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(setting, "-", "_"))
}

func variable(environ []string, name string) string {
	for _, v := range environ {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

func (l *loader) loadFile(path string) error {
	var parser koanf.Parser
	switch filepath.Ext(path) {
	case ".yaml", ".yml":
		parser = yaml.Parser()
	case ".toml":
		parser = toml.Parser()
	default:
		return &Error{Setting: configFlag, Source: "--" + configFlag, Problem: fmt.Sprintf("%s: the name must end in .yaml, .yml or .toml", path)}
	}
	if err := l.k.Load(file.Provider(path), parser); err != nil {
		return &Error{Setting: configFlag, Source: "--" + configFlag, Problem: fmt.Sprintf("%s: %v", path, err)}
	}
	for _, name := range slices.Sorted(maps.Keys(l.k.All())) {
		s, ok := lookUp(name)
		l.source[name] = name + " in " + path
		if base, named := strings.CutSuffix(name, fileSuffix); named {
			if s, ok := lookUp(base); ok && s.kind == secret {
				l.loadNamed(base, name)
				continue
			}
		}
		if !ok {
			l.fail(name, "there is no such setting; there are %s", strings.Join(names(), ", "))
			continue
		}
		if _, ok := textOf(s, l.k.Get(name)); !ok {
			l.fail(name, "the value must be text: put it in quotes")
			l.k.Delete(name)
		}
	}
	return nil
}

// loadNamed reads a secret from the file that the setting names.
func (l *loader) loadNamed(name, setting string) {
	path, ok := l.k.Get(setting).(string)
	l.k.Delete(setting)
	switch {
	case !ok || path == "":
		l.fail(setting, "write the name of a file")
	case l.k.Exists(name):
		l.fail(setting, "%s is there too: keep one of them", name)
	default:
		l.source[name] = l.source[setting]
		if err := l.k.Set(name, l.contentOf(name, path)); err != nil {
			l.fail(name, "%v", err)
		}
	}
}

// contentOf reads the secret that is the value of a setting.
func (l *loader) contentOf(name, path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		l.fail(name, "%v", err)
		return ""
	}
	content := strings.TrimRight(string(text), "\r\n")
	if content == "" {
		// Else a lost secret would quietly mean the default.
		l.fail(name, "%s is empty", path)
	}
	return content
}

func names() []string {
	all := make([]string, len(settings))
	for i, s := range settings {
		all[i] = s.name
	}
	return all
}

// textOf gives a value of any source as the text that a flag would have.
func textOf(s setting, value any) (string, bool) {
	switch value := value.(type) {
	case string:
		return value, true
	case []any:
		parts := make([]string, len(value))
		for i, v := range value {
			part, ok := v.(string)
			if !ok {
				return "", false
			}
			parts[i] = part
		}
		return strings.Join(parts, ","), s.kind == list
	default:
		return "", false
	}
}

// loadEnv reads the variables of known settings. Others are left alone: a cluster
// invents GATELODGE_PORT and more for a service of that name. An empty variable
// is one that is not set.
func (l *loader) loadEnv(environ []string) error {
	variables := map[string]string{}
	files := map[string]string{}
	for _, s := range settings {
		variables[envName(s.name)] = s.name
		if s.kind == secret {
			files[envName(s.name)+envSuffix] = s.name
		}
	}
	return l.k.Load(env.Provider(delimiter, env.Opt{
		Prefix:      envPrefix,
		EnvironFunc: func() []string { return environ },
		TransformFunc: func(variableName, value string) (string, any) {
			if value == "" {
				return "", nil
			}
			if name, ok := variables[variableName]; ok {
				l.source[name] = variableName
				return name, value
			}
			name, ok := files[variableName]
			if !ok {
				return "", nil
			}
			l.source[name] = variableName
			if variable(environ, envName(name)) != "" {
				l.fail(name, "%s is set too: keep one of them", envName(name))
				return "", nil
			}
			return name, l.contentOf(name, value)
		},
	}), nil)
}

func (l *loader) loadFlags(fs *pflag.FlagSet) error {
	return l.k.Load(posflag.ProviderWithFlag(fs, delimiter, l.k, func(f *pflag.Flag) (string, any) {
		if _, ok := f.Annotations[isSetting]; !ok || !f.Changed {
			return "", nil
		}
		l.source[f.Name] = "--" + f.Name
		return f.Name, f.Value.String()
	}), nil)
}

// text gives a setting's value, or its default.
func (l *loader) text(name string) string {
	s, _ := lookUp(name)
	if value, ok := textOf(s, l.k.Get(name)); ok {
		return value
	}
	return s.initial
}
