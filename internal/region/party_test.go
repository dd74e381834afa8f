package region

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// wire is a network as a function.
type wire func(*http.Request) (*http.Response, error)

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) { return w(r) }

func answer(text string) *http.Response {
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(text))}
}

func party(t *testing.T, w wire) (*Party, Region) {
	t.Helper()
	s, err := NewSetting(service(), "https://na.example.com")
	if err != nil {
		t.Fatal(err)
	}
	return NewParty(s, w, time.Now), s.Neighbours[0]
}

const europe = `{"issuer":"https://eu.example.com","authorization_endpoint":"https://eu.example.com/oauth2/authorize"}`

// TestSlowNeighbour: a neighbour that never answers holds nobody for longer than is
// bearable, however many wait, and is not asked by each of them.
func TestSlowNeighbour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		p, eu := party(t, func(r *http.Request) (*http.Response, error) {
			asked.Add(1)
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		began := time.Now()
		done := make(chan error)
		for range 20 {
			go func() {
				_, err := p.Begin(context.Background(), eu, Ask{})
				done <- err
			}()
		}
		for range 20 {
			if _, ok := errors.AsType[*UnreachableError](<-done); !ok {
				t.Error("no *UnreachableError")
			}
		}
		if took := time.Since(began); took > patience || asked.Load() > 2 {
			t.Errorf("took %v, asked %d times", took, asked.Load())
		}
	})
}

// TestNeighbourIsRemembered: nobody is sent to one that is away, it is not asked by
// everybody, and its return is noticed.
func TestNeighbourIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, away := 0, true
		p, eu := party(t, func(*http.Request) (*http.Response, error) {
			asked++
			if away {
				return nil, errors.New("connection refused")
			}
			return answer(europe), nil
		})
		step := func(wait time.Duration, wantAsked int, want bool) {
			t.Helper()
			time.Sleep(wait)
			if _, err := p.Begin(t.Context(), eu, Ask{}); err == nil != want || asked != wantAsked {
				t.Fatalf("%v, asked %d times, want %d", err, asked, wantAsked)
			}
		}
		step(0, 1, false)
		step(time.Second, 1, false)
		step(time.Second, 2, false)
		away = false
		step(2*time.Second, 3, true)
		step(999*time.Millisecond, 3, true)
		away = true
		step(time.Millisecond, 4, false)
		away = false
		step(time.Second, 4, false)
		step(time.Second, 5, true)
		// For what needs no answer of it now, it counts for longer.
		time.Sleep(59 * time.Minute)
		if _, err := p.SignOutURL(t.Context(), eu); asked != 5 {
			t.Errorf("asked %d times: %v", asked, err)
		}
	})
}

// TestAnotherIssuer: a neighbour that describes another server is not believed.
func TestAnotherIssuer(t *testing.T) {
	p, eu := party(t, func(*http.Request) (*http.Response, error) {
		return answer(strings.Replace(europe, "eu.example.com", "apac.example.com", 1)), nil
	})
	if _, err := p.Begin(t.Context(), eu, Ask{}); err == nil {
		t.Error("believed")
	}
}

// TestStrangersLogoutToken: a token of no neighbour costs no request.
func TestStrangersLogoutToken(t *testing.T) {
	p, _ := party(t, func(*http.Request) (*http.Response, error) {
		t.Error("a neighbour was asked")
		return nil, errors.New("no")
	})
	of := func(issuer string) string {
		return "e30." + base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"`+issuer+`"}`)) + ".x"
	}
	for _, token := range []string{"", "...", "x", of(""), of("https://na.example.com"), of("https://evil.example.com"), of("https://apac.example.com")} {
		if _, _, err := p.Ended(t.Context(), token); !errors.Is(err, ErrRefused) {
			t.Errorf("%q: %v", token, err)
		}
	}
}

// TestMadeUpLogoutTokens: tokens in a neighbour's name do not make it be asked for its
// keys by each of them, and its own are taken meanwhile.
func TestMadeUpLogoutTokens(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "1", Algorithm: "RS256", Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		p, eu := party(t, func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/keys") {
				asked++
				return answer(string(keys)), nil
			}
			return answer(strings.TrimSuffix(europe, "}") + `,"jwks_uri":"https://eu.example.com/keys"}`), nil
		})
		token := func(by *rsa.PrivateKey, kid string) string {
			signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: by, KeyID: kid}}, nil)
			if err != nil {
				t.Fatal(err)
			}
			now := time.Now().Unix()
			signed, err := signer.Sign(fmt.Appendf(nil, `{"iss":%q,"aud":%q,"sub":"HILDA","sid":"s","jti":"j","iat":%d,"exp":%d,"events":{"http://schemas.openid.net/event/backchannel-logout":{}}}`,
				eu.Issuer, eu.Credentials.ClientID, now, now+60))
			if err != nil {
				t.Fatal(err)
			}
			compact, err := signed.CompactSerialize()
			if err != nil {
				t.Fatal(err)
			}
			return compact
		}
		stranger, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		for _, kid := range []string{"1", "2", "3", "4", "5"} {
			if _, _, err := p.Ended(t.Context(), token(stranger, kid)); !errors.Is(err, ErrRefused) {
				t.Errorf("%s: %v", kid, err)
			}
			if h, session, err := p.Ended(t.Context(), token(key, "1")); err != nil || h.Subject != "HILDA" || session != "s" {
				t.Errorf("the neighbour's own: %v %q %v", h, session, err)
			}
		}
		if asked != 1 {
			t.Errorf("asked %d times for the keys, want 1", asked)
		}
		time.Sleep(pause)
		if _, _, err := p.Ended(t.Context(), token(stranger, "6")); !errors.Is(err, ErrRefused) || asked != 2 {
			t.Errorf("after the pause: %v, asked %d times, want 2", err, asked)
		}
	})
}
