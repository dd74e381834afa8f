package registry

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestNewClientSecret(t *testing.T) {
	a, b := NewClientSecret("amzn1"), NewClientSecret("amzn1")
	if a == b {
		t.Errorf("the same secret twice: %s", a)
	}
	if !regexp.MustCompile(`^amzn1\.oa2-cs\.v1\.[0-9a-f]{64}$`).MatchString(a) {
		t.Errorf("NewClientSecret = %q: not the contract's shape", a)
	}
}

func TestSecretMatching(t *testing.T) {
	now := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	long := strings.Repeat("x", 100)
	p := &SecurityProfile{Secrets: []ClientSecret{
		{ID: 1, Digest: Digest("old"), ExpiresAt: now},
		{ID: 2, Digest: Digest("leaving"), ExpiresAt: now.Add(time.Microsecond)},
		{ID: 3, Digest: Digest(long)},
	}}
	tests := map[string]struct {
		value         string
		live, expired int64
	}{
		"in use":                       {long, 3, 0},
		"ending later":                 {"leaving", 2, 0},
		"ended this moment":            {"old", 0, 1},
		"unknown":                      {"guess", 0, 0},
		"empty":                        {"", 0, 0},
		"hydra#1438: first 72 bytes":   {long[:72], 0, 0},
		"one byte more":                {long + "x", 0, 0},
		"DOT#1077: digest as a secret": {string(p.Secrets[2].Digest[:]), 0, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if s, ok := p.SecretMatching(tt.value, now); s.ID != tt.live || ok != (tt.live != 0) {
				t.Errorf("SecretMatching = %d, %v, want %d", s.ID, ok, tt.live)
			}
			if s, ok := p.ExpiredSecretMatching(tt.value, now); s.ID != tt.expired || ok != (tt.expired != 0) {
				t.Errorf("ExpiredSecretMatching = %d, %v, want %d", s.ID, ok, tt.expired)
			}
		})
	}
	if diff := cmp.Diff(p.Secrets[1:], p.LiveSecrets(now)); diff != "" {
		t.Error(diff)
	}
	if p.CanAddSecret(now) {
		t.Error("a third live secret could be added")
	}
	if !p.CanAddSecret(now.Add(time.Second)) {
		t.Error("no room for a secret though only one is live")
	}
}

func TestSecretMatchingWithoutSecrets(t *testing.T) {
	if _, ok := (&SecurityProfile{}).SecretMatching("", time.Now()); ok {
		t.Error("a profile without secrets accepts one")
	}
}
