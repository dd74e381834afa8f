// Package seal owns sealed values: what leaves the server, comes back, and is
// read again without a row in the database. Authorization codes, access and
// refresh tokens, requests in flight, typed forms, cookies and links in mails are
// encrypted and authenticated here; what they say is encoded elsewhere.
//
// A value is bound to its [Purpose] and to the issuer, so that one of another kind
// or of another server is never taken for it. It carries a version and the number
// of its key in front. [Keys] is an immutable set: whoever sees [ErrUnknownKey]
// loads the keys anew, at a bounded rate because strangers can cause it, and tries
// once more.
//
// Sealing proves who made a value, not that it is fresh or was used only once:
// an expiry belongs in the plaintext, single use in the database.
package seal

import (
	"cmp"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
)

var (
	// ErrUnknownKey says that the value names a key that is not in the set: it is
	// forged, or the key is newer than the set.
	ErrUnknownKey = errors.New("seal: sealed with an unknown key")
	// ErrInvalid says that the value was not sealed here for this purpose.
	ErrInvalid = errors.New("seal: not a value sealed for this purpose")
	// ErrTooLong says that the plaintext does not fit what Open accepts.
	ErrTooLong = errors.New("seal: too long to be sealed for this purpose")
)

// Purpose is the kind of a sealed value. The numbers are part of every value:
// they are never given again.
type Purpose uint8

const (
	code      Purpose = iota + 1 // has a form of its own: SealCode
	Access                       // access token
	Refresh                      // refresh token
	Request                      // authorization request in flight
	Form                         // what was typed when the session had expired
	Device                       // cookie that knows a browser again
	EmailLink                    // link in a mail
	JWTAccess                    // inside an access token that is a JWT
	Nonce                        // time that a DPoP proof has to repeat
	Pushed                       // authorization request that waits for its user
	Run                          // a flow that a developer runs in the console
	Region                       // a sign-in that goes by way of another region
	Joining                      // somebody of another region who has an account here too
	purposes
)

// kinds has the label under which a purpose's keys are derived, and the longest
// text that is opened: it bounds the work that strangers can cause.
var kinds = [purposes]struct {
	label string
	limit int
}{
	code:      {"code", 1024},
	Access:    {"access", 2048},
	Refresh:   {"refresh", 2048},
	Request:   {"request", 16 << 10},
	Form:      {"form", 2 << 20},
	Device:    {"device", 2048},
	EmailLink: {"email-link", 2048},
	JWTAccess: {"jwt-access", 2048},
	Nonce:     {"nonce", 2048},
	// So long that it fits Request with what is added there.
	Pushed: {"pushed", 15 << 10},
	Run:    {"run", 64 << 10},
	// It travels as the parameter state, of which 4,096 bytes are taken.
	Region:  {"region", 4 << 10},
	Joining: {"joining", 4 << 10},
}

const (
	version    = 1
	headerSize = 2 // version, key id
	nonceSize  = chacha20poly1305.NonceSizeX
	tagSize    = chacha20poly1305.Overhead
)

// encoding is strict: every sealed value has exactly one text, else a token that
// was written down as ended could come back in another spelling.
var encoding = base64.RawURLEncoding.Strict()

// Key is one sealing key. From is when it may first be used for sealing: by then
// every replica has to know it. It opens at once.
type Key struct {
	ID     uint8
	Secret [32]byte
	From   time.Time
}

// Format keeps the secret out of logs and messages, whatever the verb.
func (k Key) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "sealing key %d", k.ID)
}

// Keys is an immutable set of sealing keys, prepared for use. It is safe for
// concurrent use.
type Keys struct {
	newestFirst []*prepared
	byID        [256]*prepared
	bound       [purposes][]byte // associated data
}

// prepared is a key with all that is derived from it.
type prepared struct {
	id     uint8
	from   time.Time
	prk    []byte // RFC 5869 section 2.2
	nonces []byte // key of the nonces of SealSame
	aeads  [purposes]cipher.AEAD
	days   atomic.Pointer[days]
}

// NewKeys prepares the keys of one issuer.
func NewKeys(issuer string, keys []Key) (*Keys, error) {
	if issuer == "" {
		return nil, errors.New("seal: an issuer is needed")
	}
	if len(keys) == 0 {
		return nil, errors.New("seal: at least one key is needed")
	}
	set := &Keys{}
	for p := code; p < purposes; p++ {
		set.bound[p] = append([]byte{version, byte(p)}, issuer...)
	}
	for _, key := range keys {
		if set.byID[key.ID] != nil {
			return nil, fmt.Errorf("seal: two keys have the id %d", key.ID)
		}
		if key.Secret == [32]byte{} {
			return nil, fmt.Errorf("seal: key %d has no secret", key.ID)
		}
		k, err := prepare(key)
		if err != nil {
			return nil, fmt.Errorf("seal: prepare key %d: %w", key.ID, err)
		}
		set.byID[key.ID] = k
		set.newestFirst = append(set.newestFirst, k)
	}
	slices.SortFunc(set.newestFirst, func(a, b *prepared) int {
		return cmp.Or(b.from.Compare(a.from), cmp.Compare(b.id, a.id))
	})
	return set, nil
}

func prepare(key Key) (*prepared, error) {
	prk, err := hkdf.Extract(sha256.New, key.Secret[:], nil)
	if err != nil {
		return nil, err
	}
	k := &prepared{id: key.ID, from: key.From, prk: prk}
	if k.nonces, err = k.expand("nonces"); err != nil {
		return nil, err
	}
	for p := Access; p < purposes; p++ {
		subkey, err := k.expand(kinds[p].label)
		if err != nil {
			return nil, err
		}
		if k.aeads[p], err = chacha20poly1305.NewX(subkey); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// expand derives the subkey of a label, so that no two kinds of value share a key.
func (k *prepared) expand(label string) ([]byte, error) {
	return hkdf.Expand(sha256.New, k.prk, "gatelodge seal 1 "+label, chacha20poly1305.KeySize)
}

// sealing gives the newest key that may be used. A clock behind the time of every
// key takes the oldest, which all replicas have.
func (k *Keys) sealing(now time.Time) *prepared {
	for _, key := range k.newestFirst {
		if !key.from.After(now) {
			return key
		}
	}
	return k.newestFirst[len(k.newestFirst)-1]
}

// Seal appends the sealed plaintext as URL-safe text to dst, which may hold a
// prefix and must not overlap the plaintext. The nonce is random and long enough
// that any number of replicas may share a key for good.
func (k *Keys) Seal(dst []byte, p Purpose, now time.Time, plaintext []byte) ([]byte, error) {
	return k.seal(dst, p, k.sealing(now), plaintext, func(nonce []byte) { rand.Read(nonce) })
}

// SealSame is Seal with a nonce that follows from the plaintext, under a key of its
// own: the same plaintext gives the same text while the same key seals. Whoever
// compares two texts learns whether they say the same, and no more.
func (k *Keys) SealSame(dst []byte, p Purpose, now time.Time, plaintext []byte) ([]byte, error) {
	key := k.sealing(now)
	return k.seal(dst, p, key, plaintext, func(nonce []byte) {
		mac := hmac.New(sha256.New, key.nonces)
		mac.Write(k.bound[p])
		mac.Write(plaintext)
		copy(nonce, mac.Sum(nil))
	})
}

func (k *Keys) seal(dst []byte, p Purpose, key *prepared, plaintext []byte, fill func(nonce []byte)) ([]byte, error) {
	size := headerSize + nonceSize + len(plaintext) + tagSize
	length := encoding.EncodedLen(size)
	if length > kinds[p].limit {
		return nil, ErrTooLong
	}
	// One allocation serves the text and, behind it, the bytes that it spells.
	start, end := len(dst), len(dst)+length
	dst = slices.Grow(dst, length+size)
	sealed := append(dst[end:end:end+size], version, key.id)
	nonce := sealed[headerSize : headerSize+nonceSize]
	fill(nonce)
	sealed = key.aeads[p].Seal(sealed[:headerSize+nonceSize], nonce, plaintext, k.bound[p])
	dst = dst[:end]
	encoding.Encode(dst[start:], sealed)
	return dst, nil
}

// Open gives the plaintext of a text that Seal made for the same purpose.
// The caller has taken off the prefix.
func (k *Keys) Open(p Purpose, text string) ([]byte, error) {
	sealed, key, err := k.decode(p, text, headerSize+nonceSize+tagSize)
	if err != nil {
		return nil, err
	}
	nonce, body := sealed[headerSize:headerSize+nonceSize], sealed[headerSize+nonceSize:]
	plaintext, err := key.aeads[p].Open(body[:0], nonce, body, k.bound[p])
	if err != nil {
		return nil, ErrInvalid
	}
	return plaintext, nil
}

// decode reads the text and its header. It tells nothing about authenticity.
func (k *Keys) decode(p Purpose, text string, least int) ([]byte, *prepared, error) {
	// The decoder skips line breaks, which would be a second spelling.
	if len(text) > kinds[p].limit || strings.ContainsAny(text, "\r\n") {
		return nil, nil, ErrInvalid
	}
	sealed := make([]byte, encoding.DecodedLen(len(text)))
	n, err := encoding.Decode(sealed, []byte(text))
	if err != nil || n < least || sealed[0] != version {
		return nil, nil, ErrInvalid
	}
	key := k.byID[sealed[1]]
	if key == nil {
		return nil, nil, ErrUnknownKey
	}
	return sealed[:n], key, nil
}
