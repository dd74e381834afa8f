package signing

import (
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// claims are those of an ordinary ID token.
var benchClaims = []byte(`{"iss":"https://lodge.example","sub":"amzn1.account.ABCDEFGHIJKLMNOPQRSTUVWXYZ23","aud":"` + clientID +
	`","exp":1773493200,"iat":1773489600,"auth_time":1773489600,"nonce":"n-0S6_WzA2Mj","at_hash":"77QmUPtjPfzWtF2AnpK9RQ"}`)

func BenchmarkSignJWT(b *testing.B) {
	s := newSet(b, ours(b, rsaKey(), noon), ours(b, ecKey(), noon))
	for _, alg := range Algorithms() {
		b.Run(string(alg), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.SignJWT(alg, IDToken, benchClaims, noon); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	// What sign is measured against.
	b.Run("ES256 by the library", func(b *testing.B) {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: ecKey(), KeyID: s.current(ES256, noon).ID}},
			(&jose.SignerOptions{}).WithType("JWT"))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			jws, err := signer.Sign(benchClaims)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := jws.CompactSerialize(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	s := newSet(b, ours(b, rsaKey(), noon), ours(b, ecKey(), noon))
	for _, alg := range Algorithms() {
		token, err := s.SignJWT(alg, IDToken, benchClaims, noon)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(string(alg), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Verify(token, IDToken, noon); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkJWKS(b *testing.B) {
	s := newSet(b, ours(b, rsaKey(), noon), ours(b, ecKey(), noon), ours(b, otherEC(), noon.Add(90*24*time.Hour)))
	b.ReportAllocs()
	for b.Loop() {
		s.JWKS(noon)
	}
}

func BenchmarkVerifyAssertion(b *testing.B) {
	keys := clientKeys(b, jwkOf(ecKey().Public(), nil))
	token := signed(b, jose.ES256, ecKey(), nil, claimsWith(nil))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := VerifyAssertion(keys, token, wantAssertion(noon)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseDPoP(b *testing.B) {
	proof := dpop(b, jose.ES256, ecKey(), proofWith(nil))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseDPoP(proof, wantProof(noon)); err != nil {
			b.Fatal(err)
		}
	}
}
