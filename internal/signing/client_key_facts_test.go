package signing

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDescribeJWKS(t *testing.T) {
	rs, es := rsaKey().Public(), ecKey().Public()
	long := strings.Repeat("k", 50)
	for name, tc := range map[string]struct {
		set     []byte
		want    []ClientKeyFacts
		refusal string
	}{
		"of each type": {jwks(jwkOf(rs, object{"kid": "a", "alg": "PS256"}), jwkOf(es, object{"kid": "b"}), jwkOf(rs, nil)),
			[]ClientKeyFacts{{"a", "RSA", []string{"PS256"}}, {"b", "EC", []string{"ES256"}}, {"", "RSA", []string{"RS256", "PS256"}}}, ""},
		"one kid for two types":    {jwks(jwkOf(rs, object{"kid": "a"}), jwkOf(es, object{"kid": "a"})), []ClientKeyFacts{{"a", "RSA", []string{"RS256", "PS256"}}, {"a", "EC", []string{"ES256"}}}, ""},
		"two without":              {jwks(jwkOf(es, nil), jwkOf(otherEC().Public(), nil)), []ClientKeyFacts{{"", "EC", []string{"ES256"}}, {"", "EC", []string{"ES256"}}}, ""},
		"one kid for two keys":     {jwks(jwkOf(es, object{"kid": "a"}), jwkOf(otherEC().Public(), object{"kid": "a"})), nil, "Two EC keys have the kid “a”. Give each key a kid of its own."},
		"a long kid for two keys":  {jwks(jwkOf(es, object{"kid": long}), jwkOf(otherEC().Public(), object{"kid": long})), nil, "Two EC keys have the kid “" + long[:40] + "…”. Give each key a kid of its own."},
		"what ParseJWKS refuses":   {[]byte(`{"keys":[]}`), nil, "The key set has no key that can be used here. It is empty."},
		"the application's secret": {jwks(jwkOf(ecKey(), nil)), nil, "Key 1 has its private part, which nobody but the application may have. Make a new pair, and give only the public part here."},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := DescribeJWKS(tc.set)
			message := ""
			if refused, ok := errors.AsType[*KeySetError](err); ok {
				message = refused.Message
			}
			if diff := cmp.Diff(tc.want, got); diff != "" || message != tc.refusal {
				t.Errorf("%q, want %q\n%s", message, tc.refusal, diff)
			}
		})
	}
}
