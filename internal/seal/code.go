package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"strconv"
	"time"
)

// Authorization codes have to fit 128 characters, which leaves no room for a long
// nonce (design.md, "Sealed values"). A key of its own for each day keeps the
// random 96-bit nonces below their bound of 2^32 values per key (NIST SP 800-38D
// section 8.3): it is then a bound per day.

// CodeID is a code's nonce. It names the code in the database.
type CodeID = [codeNonceSize]byte

const (
	codeNonceSize = 12
	codeTagSize   = 16
	secondsPerDay = 24 * 60 * 60
)

// days has one key's ciphers for codes around one day.
type days struct {
	today   int64
	ciphers [3]cipher.AEAD // in the order in which they are tried
}

// around gives the ciphers for codes made today, yesterday, or tomorrow by a
// replica whose clock is ahead.
func (k *prepared) around(now time.Time) (*days, error) {
	today := now.Unix() / secondsPerDay
	if d := k.days.Load(); d != nil && d.today == today {
		return d, nil
	}
	d := &days{today: today}
	for i, day := range [...]int64{today, today - 1, today + 1} {
		subkey, err := k.expand(kinds[code].label + " " + strconv.FormatInt(day, 10))
		if err != nil {
			return nil, err
		}
		block, err := aes.NewCipher(subkey)
		if err != nil {
			return nil, err
		}
		if d.ciphers[i], err = cipher.NewGCM(block); err != nil {
			return nil, err
		}
	}
	k.days.Store(d)
	return d, nil
}

// SealCode makes an authorization code and its id. Plaintexts of up to 66 bytes
// give codes of up to 128 characters.
func (k *Keys) SealCode(now time.Time, plaintext []byte) (text string, id CodeID, err error) {
	size := headerSize + codeNonceSize + len(plaintext) + codeTagSize
	if encoding.EncodedLen(size) > kinds[code].limit {
		return "", CodeID{}, ErrTooLong
	}
	key := k.sealing(now)
	d, err := key.around(now)
	if err != nil {
		return "", CodeID{}, err
	}
	rand.Read(id[:])
	sealed := make([]byte, 0, size)
	sealed = append(sealed, version, key.id)
	sealed = append(sealed, id[:]...)
	sealed = d.ciphers[0].Seal(sealed, id[:], plaintext, k.bound[code])
	return encoding.EncodeToString(sealed), id, nil
}

// OpenCode gives the plaintext and the id of a code that was made on the day of
// now or a day beside it.
func (k *Keys) OpenCode(now time.Time, text string) (plaintext []byte, id CodeID, err error) {
	sealed, key, err := k.decode(code, text, headerSize+codeNonceSize+codeTagSize)
	if err != nil {
		return nil, CodeID{}, err
	}
	d, err := key.around(now)
	if err != nil {
		return nil, CodeID{}, err
	}
	id, body := CodeID(sealed[headerSize:headerSize+codeNonceSize]), sealed[headerSize+codeNonceSize:]
	for _, c := range d.ciphers {
		// Not in place: a failed attempt clears its output.
		if plaintext, err := c.Open(nil, id[:], body, k.bound[code]); err == nil {
			return plaintext, id, nil
		}
	}
	return nil, CodeID{}, ErrInvalid
}
