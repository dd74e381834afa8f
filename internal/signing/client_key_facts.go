package signing

import "crypto/rsa"

// ClientKeyFacts say which key of a client it is.
type ClientKeyFacts struct {
	ID         string // "" when the set gives none
	Type       string // RSA or EC
	Algorithms []string
}

// DescribeJWKS reads a key set that a person pastes, or has pasted, and says which keys
// are used of it. It refuses what [ParseJWKS] refuses, and two keys by which the same
// kid could be meant (RFC 7517 section 4.5): here, somebody is there to mend it. Its
// errors are *[KeySetError].
func DescribeJWKS(data []byte) ([]ClientKeyFacts, error) {
	parsed, err := ParseJWKS(data)
	if err != nil {
		return nil, err
	}
	type name struct{ kty, kid string }
	seen := map[name]bool{}
	var all []ClientKeyFacts
	for _, k := range parsed.keys {
		facts := ClientKeyFacts{ID: k.id, Type: "EC"}
		if _, ok := k.public.(*rsa.PublicKey); ok {
			facts.Type = "RSA"
		}
		for _, alg := range k.algs {
			facts.Algorithms = append(facts.Algorithms, string(alg))
		}
		n := name{facts.Type, k.id}
		if k.id != "" && seen[n] {
			return nil, refuseKeys("Two %s keys have the kid “%s”. Give each key a kid of its own.", facts.Type, shortened(k.id))
		}
		seen[n] = true
		all = append(all, facts)
	}
	return all, nil
}

// shortened cuts what somebody else wrote down to what fits into a sentence.
func shortened(s string) string {
	const most = 40
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
