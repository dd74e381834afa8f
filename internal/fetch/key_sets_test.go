package fetch

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"gatelodge/internal/signing"
)

var noon = time.Date(2026, time.March, 14, 12, 0, 0, 0, time.UTC)

// owner is a client that publishes its keys.
type owner struct {
	*httptest.Server
	asked atomic.Int32

	mu     sync.Mutex
	keys   map[string]*ecdsa.PrivateKey
	header http.Header
	answer http.HandlerFunc // in place of the keys, if any
}

func newOwner(t *testing.T, ids ...string) (*owner, *KeySets) {
	t.Helper()
	o := &owner{keys: map[string]*ecdsa.PrivateKey{}, header: http.Header{}}
	o.Server = httptest.NewServer(o)
	t.Cleanup(o.Close)
	o.publish(t, ids...)
	return o, NewKeySets(newFetcher(Options{AllowLoopback: true}, deadline))
}

func (o *owner) publish(t *testing.T, ids ...string) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.keys)
	for _, id := range ids {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		o.keys[id] = key
	}
}

func (o *owner) answers(with http.HandlerFunc) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answer = with
}

func (o *owner) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.asked.Add(1)
	o.mu.Lock()
	answer := o.answer
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for id, key := range o.keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key.Public(), KeyID: id})
	}
	for name, values := range o.header {
		w.Header()[name] = values
	}
	o.mu.Unlock()
	if answer != nil {
		answer(w, r)
		return
	}
	json.NewEncoder(w).Encode(set)
}

// by is an assertion that names a key; nothing here verifies it.
func by(t *testing.T, kid string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", kid))
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign([]byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// TestKeySetsAreKept follows one address through time: what is asked for, and how
// often its owner was asked by then.
func TestKeySetsAreKept(t *testing.T) {
	const gone = "127.0.0.1 answers with status 503."
	type step struct {
		do    func(*testing.T, *owner)
		at    time.Duration // after noon
		kid   string
		asked int32
		words string // "": keys are given
		lack  bool   // … but not this one
	}
	down := func(_ *testing.T, o *owner) { o.answers(status(http.StatusServiceUnavailable)) }
	up := func(_ *testing.T, o *owner) { o.answers(nil) }
	for name, steps := range map[string][]step{
		"while fresh": {
			{at: 0, kid: "a", asked: 1},
			{at: 10*time.Minute - 1, kid: "a", asked: 1},
			{at: 10 * time.Minute, kid: "a", asked: 2},
		},
		"as the owner says": {
			{do: func(_ *testing.T, o *owner) { o.header.Set("Cache-Control", "public, max-age=120") }, at: 0, kid: "a", asked: 1},
			{at: 2*time.Minute - 1, kid: "a", asked: 1},
			{at: 2 * time.Minute, kid: "a", asked: 2},
		},
		"a new key": {
			{at: 0, kid: "a", asked: 1},
			{do: func(t *testing.T, o *owner) { o.publish(t, "a", "b") }, at: 29 * time.Second, kid: "b", asked: 1, lack: true},
			{at: 30 * time.Second, kid: "b", asked: 2},
			{at: 30 * time.Second, kid: "a", asked: 2},
		},
		"invented keys": {
			{at: 0, kid: "x", asked: 1, lack: true},
			{at: time.Second, kid: "y", asked: 1, lack: true},
			{at: 29 * time.Second, kid: "z", asked: 1, lack: true},
			{at: 30 * time.Second, kid: "z", asked: 2, lack: true},
			{at: 31 * time.Second, kid: "z", asked: 2, lack: true},
			{at: 31 * time.Second, kid: "a", asked: 2},
		},
		"owner unreachable": {
			{at: 0, kid: "a", asked: 1},
			{do: down, at: time.Hour, kid: "a", asked: 2},
			{at: time.Hour + time.Second, kid: "a", asked: 2},
			{at: time.Hour + time.Second, kid: "b", asked: 2, words: gone},
			{at: time.Hour + 30*time.Second, kid: "a", asked: 3},
			{at: 24*time.Hour - 1, kid: "a", asked: 4},
			{at: 24 * time.Hour, kid: "a", asked: 4, words: gone},
			{at: 25 * time.Hour, kid: "a", asked: 5, words: gone},
			{do: up, at: 26 * time.Hour, kid: "a", asked: 6},
		},
		"never reached": {
			{do: down, at: 0, kid: "a", asked: 1, words: gone},
			{at: 29 * time.Second, kid: "a", asked: 1, words: gone},
			{do: up, at: 30 * time.Second, kid: "a", asked: 2},
		},
		// An owner who takes back the only key has to be obeyed.
		"all taken back": {
			{at: 0, kid: "a", asked: 1},
			{do: func(t *testing.T, o *owner) { o.publish(t) }, at: 10 * time.Minute, kid: "a", asked: 2, words: "The key set has no key that can be used here. It is empty."},
			{do: down, at: 11 * time.Minute, kid: "a", asked: 3, words: gone},
		},
		"one taken back": {
			{do: func(t *testing.T, o *owner) { o.publish(t, "a", "b") }, at: 0, kid: "a", asked: 1},
			{do: func(t *testing.T, o *owner) { o.publish(t, "b") }, at: 10 * time.Minute, kid: "b", asked: 2},
			{at: 10 * time.Minute, kid: "a", asked: 2, lack: true},
		},
		"not a key set": {
			{do: func(_ *testing.T, o *owner) { o.answers(status(http.StatusOK)) }, at: 0, kid: "a", asked: 1,
				words: `This is not a JSON Web Key Set: an object with an array "keys", each member once.`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			o, sets := newOwner(t, "a")
			for i, s := range steps {
				if s.do != nil {
					s.do(t, o)
				}
				keys, err := sets.For(t.Context(), o.URL, by(t, s.kid), noon.Add(s.at))
				if words(t, err) != s.words {
					t.Errorf("step %d: %v, want %q", i, err, s.words)
				}
				if err == nil && keys.Lack(by(t, s.kid)) != s.lack {
					t.Errorf("step %d: lacks the key: %t", i, !s.lack)
				}
				if n := o.asked.Load(); n != s.asked {
					t.Errorf("step %d: the owner was asked %d times, want %d", i, n, s.asked)
				}
			}
		})
	}
}

// TestKeySetsAreReadOnce: however many wait for an address, it is asked once; nobody
// with keys in hand waits; who goes away takes nothing from the others.
func TestKeySetsAreReadOnce(t *testing.T) {
	o, sets := newOwner(t, "a")
	arrived, let := make(chan struct{}), make(chan struct{})
	slowly := func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-let
		o.answers(nil)
		o.asked.Add(-1)
		o.ServeHTTP(w, r)
	}
	o.answers(slowly)
	token := by(t, "a")
	first, leave := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	ask := func(ctx context.Context, now time.Time) {
		wg.Go(func() {
			if keys, err := sets.For(ctx, o.URL, token, now); err != nil || keys.Lack(token) {
				t.Errorf("%v", err)
			}
		})
	}
	ask(first, noon)
	<-arrived
	for range 20 {
		ask(t.Context(), noon.Add(time.Second))
	}
	leave()
	if _, err := sets.For(first, o.URL, token, noon); !errors.Is(err, context.Canceled) {
		t.Errorf("who left while waiting: %v", err)
	}
	time.Sleep(20 * time.Millisecond) // the transport would notice by now
	let <- struct{}{}
	wg.Wait()
	if n := o.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}

	o.answers(slowly)
	ask(t.Context(), noon.Add(time.Hour))
	<-arrived
	soon, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if keys, err := sets.For(soon, o.URL, token, noon.Add(time.Hour)); err != nil || keys.Lack(token) || soon.Err() != nil {
		t.Errorf("with keys in hand: %v", err)
	}
	let <- struct{}{}
	wg.Wait()
}

func TestKeySetsAreBounded(t *testing.T) {
	sets := NewKeySets(New(Options{}))
	for i := range maxKeySets + 100 {
		// Refused before anything is resolved.
		if _, err := sets.For(t.Context(), fmt.Sprintf("http://app.example.com/%d", i), "", noon); words(t, err) != notHTTPS {
			t.Fatal(err)
		}
	}
	if n := len(sets.sets); n != maxKeySets {
		t.Errorf("%d are kept", n)
	}
}

func TestFreshness(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"":                            10 * time.Minute,
		"public":                      10 * time.Minute,
		"max-age=300":                 5 * time.Minute,
		`public, Max-Age="300"`:       5 * time.Minute,
		"max-age=0":                   time.Minute,
		"max-age=59":                  time.Minute,
		"max-age=86400":               time.Hour,
		"max-age=99999999999999":      10 * time.Minute,
		"max-age=-1":                  10 * time.Minute,
		"max-age":                     10 * time.Minute,
		"s-maxage=300":                10 * time.Minute,
		"no-store":                    time.Minute,
		"max-age=300, no-cache":       time.Minute,
		"max-age=300,must-revalidate": 5 * time.Minute,
	} {
		if got := freshness(header); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
}

// TestKeySetErrors: the cause of a refused set stays for whoever asks.
func TestKeySetErrors(t *testing.T) {
	o, sets := newOwner(t)
	_, err := sets.For(t.Context(), o.URL, by(t, "a"), noon)
	if _, ok := errors.AsType[*signing.KeySetError](err); !ok {
		t.Errorf("%T %v", err, err)
	}
}
