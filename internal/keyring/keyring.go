// Package keyring owns the key-encryption keys: the one file that is not in the
// database, without which the secrets in the database cannot be read.
//
// A [Ring] seals a column's value with its newest key and binds it to its [Place],
// so that a value copied to another row, column or table does not open. It opens
// what any of its keys sealed.
package keyring

import (
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"golang.org/x/crypto/chacha20poly1305"
)

var (
	// ErrUnknownKey says that the value names a key that the key file does not have.
	ErrUnknownKey = errors.New("keyring: sealed with a key that is not in the key file")
	// ErrDamaged says that the value was changed, cut, or sealed for another place.
	ErrDamaged = errors.New("keyring: sealed value is damaged or belongs to another place")
)

const (
	format     = 1
	keySize    = chacha20poly1305.KeySize
	nonceSize  = chacha20poly1305.NonceSizeX
	headerSize = 1 + len(keyID{}) // format, key id
	overhead   = headerSize + nonceSize + chacha20poly1305.Overhead
)

// Place is the column of a row that a value is sealed for. Row is the row's
// primary key in an encoding of the caller's.
type Place struct {
	Table  string
	Column string
	Row    []byte
}

// associated encodes the header and the place; each part has its length in front,
// so that no two places share an encoding.
func (p Place) associated(header []byte) []byte {
	ad := append([]byte("gatelodge column\x00"), header...)
	for _, part := range [][]byte{[]byte(p.Table), []byte(p.Column), p.Row} {
		ad = binary.BigEndian.AppendUint32(ad, uint32(len(part)))
		ad = append(ad, part...)
	}
	return ad
}

type keyID [4]byte

// key is one key-encryption key.
type key struct {
	id     keyID
	secret [keySize]byte
	aead   cipher.AEAD
}

func newKey(id keyID, secret [keySize]byte) (*key, error) {
	aead, err := chacha20poly1305.NewX(secret[:])
	if err != nil {
		return nil, err
	}
	return &key{id: id, secret: secret, aead: aead}, nil
}

// fingerprint names the key and its id without telling anything about the secret.
func (k *key) fingerprint() string {
	mac := hmac.New(sha256.New, k.secret[:])
	mac.Write([]byte("gatelodge key fingerprint 1\x00"))
	mac.Write(k.id[:])
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// Ring is the content of a key file. It is safe for concurrent use. When it meets
// a value of a key that it does not have, it reads its file again, so that a
// running server follows a key that a command has added.
type Ring struct {
	path string
	keys atomic.Pointer[[]*key] // newest first, never empty
}

func newRing(path string, keys []*key) *Ring {
	r := &Ring{path: path}
	r.keys.Store(&keys)
	return r
}

// Fingerprints names the keys, newest first. A database keeps the one that it was
// made with, so that a program with another key file does not start on it.
func (r *Ring) Fingerprints() []string {
	keys := *r.keys.Load()
	prints := make([]string, len(keys))
	for i, k := range keys {
		prints[i] = k.fingerprint()
	}
	return prints
}

// Seal encrypts a value for a place with the newest key.
func (r *Ring) Seal(where Place, plaintext []byte) ([]byte, error) {
	k := (*r.keys.Load())[0]
	sealed := make([]byte, headerSize+nonceSize, overhead+len(plaintext))
	sealed[0] = format
	copy(sealed[1:], k.id[:])
	nonce := sealed[headerSize:]
	rand.Read(nonce)
	return k.aead.Seal(sealed, nonce, plaintext, where.associated(sealed[:headerSize])), nil
}

// Open decrypts a value that was sealed for the same place.
func (r *Ring) Open(where Place, sealed []byte) ([]byte, error) {
	id, err := idOf(sealed)
	if err != nil {
		return nil, err
	}
	k, err := r.find(id)
	if err != nil {
		return nil, err
	}
	nonce, body := sealed[headerSize:headerSize+nonceSize], sealed[headerSize+nonceSize:]
	plaintext, err := k.aead.Open(nil, nonce, body, where.associated(sealed[:headerSize]))
	if err != nil {
		return nil, ErrDamaged
	}
	return plaintext, nil
}

// NeedsReseal reports whether a value was sealed with another key than the newest.
func (r *Ring) NeedsReseal(sealed []byte) bool {
	id, err := idOf(sealed)
	return err != nil || id != (*r.keys.Load())[0].id
}

func idOf(sealed []byte) (keyID, error) {
	if len(sealed) < overhead || sealed[0] != format {
		return keyID{}, ErrDamaged
	}
	return keyID(sealed[1:headerSize]), nil
}

func (r *Ring) find(id keyID) (*key, error) {
	if k := lookUp(*r.keys.Load(), id); k != nil {
		return k, nil
	}
	keys, err := read(r.path)
	if err != nil {
		return nil, fmt.Errorf("%w %s, which could not be read again: %w", ErrUnknownKey, r.path, err)
	}
	k := lookUp(keys, id)
	if k == nil {
		// The file may be another one by now: keep what is known.
		return nil, fmt.Errorf("%w %s", ErrUnknownKey, r.path)
	}
	r.keys.Store(&keys)
	return k, nil
}

func lookUp(keys []*key, id keyID) *key {
	if i := slices.IndexFunc(keys, func(k *key) bool { return k.id == id }); i >= 0 {
		return keys[i]
	}
	return nil
}
