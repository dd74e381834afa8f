package registry

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strings"
	"sync"
)

// Namespace is the first part of every identifier that leaves the server ("amzn1" unless the operator chose another).
type Namespace string

// NamespaceMaxChars is the longest namespace: identifiers stay within the sizes that existing clients set aside.
const NamespaceMaxChars = 16

// The part of an identifier between the namespace and its random part tells its kind.
const (
	kindClient      = ".application-oa2-client."
	kindApplication = ".application."
	kindSecret      = ".oa2-cs.v1."
	kindAccount     = ".account."
)

// ParseNamespace accepts 1 to 16 lower-case letters and digits.
func ParseNamespace(s string) (Namespace, error) {
	if s == "" || len(s) > NamespaceMaxChars || strings.Trim(s, lowerAlphanumeric) != "" {
		return "", fmt.Errorf("namespace %.40q: write 1 to %d lower-case letters and digits", s, NamespaceMaxChars)
	}
	return Namespace(s), nil
}

const lowerAlphanumeric = "abcdefghijklmnopqrstuvwxyz0123456789"

// ClientKey is the random part of a client ID.
type ClientKey [16]byte

// ApplicationKey is the random part of an application ID.
type ApplicationKey [16]byte

// NewClientKey returns a random key.
func NewClientKey() ClientKey {
	var k ClientKey
	rand.Read(k[:]) // never fails
	return k
}

// NewApplicationKey returns a random key.
func NewApplicationKey() ApplicationKey {
	var k ApplicationKey
	rand.Read(k[:]) // never fails
	return k
}

// String is the key in hexadecimal, by which the console's paths name a profile.
func (k ApplicationKey) String() string { return hex.EncodeToString(k[:]) }

// ParseApplicationKey reads what [ApplicationKey.String] writes.
func ParseApplicationKey(s string) (ApplicationKey, error) {
	var k ApplicationKey
	if !isLowerHex(s, 2*len(k)) {
		return ApplicationKey{}, fmt.Errorf("not a profile's key: one is %d lower-case hexadecimal digits", 2*len(k))
	}
	_, err := hex.Decode(k[:], []byte(s))
	return k, err
}

// ClientID is what the application sends as client_id.
func (ns Namespace) ClientID(k ClientKey) string {
	return string(ns) + kindClient + hex.EncodeToString(k[:])
}

// ApplicationID names the security profile as a whole; tokeninfo answers it as app_id.
func (ns Namespace) ApplicationID(k ApplicationKey) string {
	return string(ns) + kindApplication + hex.EncodeToString(k[:])
}

// ParseClientID reads a client ID of this namespace. There is one spelling of each: an upper-case digit or a space is
// refused. The error's text is that of [Namespace.DescribeClientID] and never repeats what was sent, which may have
// been a secret.
func (ns Namespace) ParseClientID(s string) (ClientKey, error) {
	key, ok := ns.parseKey(s, kindClient)
	if !ok {
		return ClientKey{}, errors.New(ns.DescribeClientID(s))
	}
	return ClientKey(key), nil
}

// ParseApplicationID reads an application ID of this namespace, as strictly as [Namespace.ParseClientID].
func (ns Namespace) ParseApplicationID(s string) (ApplicationKey, error) {
	key, ok := ns.parseKey(s, kindApplication)
	if !ok {
		return ApplicationKey{}, fmt.Errorf("not an application ID: one is %s%s and 32 hexadecimal digits", ns, kindApplication)
	}
	return ApplicationKey(key), nil
}

func (ns Namespace) parseKey(s, kind string) (key [16]byte, ok bool) {
	s, ok = strings.CutPrefix(s, string(ns))
	if !ok {
		return key, false
	}
	s, ok = strings.CutPrefix(s, kind)
	if !ok || !isLowerHex(s, 2*len(key)) {
		return key, false
	}
	if _, err := hex.Decode(key[:], []byte(s)); err != nil {
		return key, false
	}
	return key, true
}

func isLowerHex(s string, digits int) bool {
	return len(s) == digits && strings.Trim(s, "0123456789abcdef") == ""
}

// userIDChars is the length of a user ID's last part: 140 bits in base32.
const userIDChars = 28

// UserIDs makes the identifiers by which developer accounts know people. It is safe for concurrent use.
type UserIDs struct {
	namespace Namespace
	macs      sync.Pool // of hash.Hash: setting up the key costs more than using it
}

// NewUserIDs takes the key of the installation, at least 32 random bytes. It is never rotated, since an identifier once
// given out must stay.
func NewUserIDs(ns Namespace, key []byte) *UserIDs {
	return &UserIDs{namespace: ns, macs: sync.Pool{New: func() any { return hmac.New(sha256.New, key) }}}
}

// Of is the identifier by which one developer account knows one person. It is pairwise: the same for all applications of
// a developer account, and not to be linked with what another developer account sees (login-with-amazon.md section 1).
func (u *UserIDs) Of(developerID, accountID int64) string {
	mac := u.macs.Get().(hash.Hash)
	defer u.macs.Put(mac)
	mac.Reset()
	said := append(make([]byte, 0, 64), "gatelodge user id v1"...)
	said = binary.BigEndian.AppendUint64(said, uint64(developerID))
	said = binary.BigEndian.AppendUint64(said, uint64(accountID))
	mac.Write(said)
	// 28 characters carry 17.5 bytes: encode 18 and drop the last character's leftover bits with it.
	sum := mac.Sum(said[:0])[:18]
	text := append(make([]byte, 0, 64), u.namespace...)
	text = append(text, kindAccount...)
	text = userIDEncoding.AppendEncode(text, sum)
	return string(text[:len(u.namespace)+len(kindAccount)+userIDChars])
}

var userIDEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// DescribeClientID says in words why s is not a client ID of this namespace: which other identifier it is, or what is
// missing from it. It returns "" for a well-formed one. The text is meant for the owner of the application and does
// not repeat s.
func (ns Namespace) DescribeClientID(s string) string {
	if _, ok := ns.parseKey(s, kindClient); ok {
		return ""
	}
	shape := string(ns) + kindClient + " followed by 32 hexadecimal digits"
	if s == "" {
		return "The client ID is missing; it is " + shape + "."
	}
	if trimmed := strings.TrimSpace(s); trimmed != s {
		if _, ok := ns.parseKey(trimmed, kindClient); ok {
			return "There is white space before or after the client ID; send it without."
		}
		s = trimmed
	}
	if _, ok := ns.parseKey(strings.ToLower(s), kindClient); ok {
		return "The client ID has upper-case letters; send it exactly as Web Settings shows it, in lower case."
	}
	if wrong := describeOtherKind(s); wrong != "" {
		return wrong + "; the client ID is " + shape + "."
	}
	space, rest, ok := strings.Cut(s, ".")
	key, isClient := strings.CutPrefix("."+rest, kindClient)
	if !ok || !isClient {
		return "That is not a client ID, which is " + shape + "."
	}
	if _, err := ParseNamespace(space); err == nil && space != string(ns) {
		return fmt.Sprintf("That is a client ID of another system: it begins with %s, and this one's begin with %s.", space, ns)
	}
	switch {
	case space != string(ns):
		return "That is not a client ID, which is " + shape + "."
	case len(key) < 32:
		return fmt.Sprintf("The client ID is cut short: %d of its 32 last digits are there.", len(key))
	case len(key) > 32:
		return fmt.Sprintf("The client ID is too long: it ends after 32 digits, and %d characters were sent there.", len(key))
	default:
		return "The client ID has a character among its last 32 that is not a hexadecimal digit."
	}
}

// describeOtherKind recognises what people put in a client ID's place, whatever its namespace.
func describeOtherKind(s string) string {
	for _, prefix := range []string{"Atza|", "Atzr|", "Atc|", "gl_at_", "gl_rt_"} {
		if strings.HasPrefix(s, prefix) {
			return "That is a token"
		}
	}
	if isLowerHex(s, 64) {
		return "That looks like a client secret of the old style, without a prefix"
	}
	if isLowerHex(s, 32) {
		return "That is only the last part of an ID"
	}
	space, rest, ok := strings.Cut(s, ".")
	if _, err := ParseNamespace(space); !ok || err != nil {
		return ""
	}
	rest = "." + rest
	switch {
	case strings.HasPrefix(rest, ".oa2-cs."):
		return "That is a client secret, sent where the client ID belongs"
	case strings.HasPrefix(rest, kindApplication):
		return "That is an application ID"
	case strings.HasPrefix(rest, ".sp.solution."):
		return "That is a solution ID"
	case strings.HasPrefix(rest, kindAccount):
		return "That is a user ID"
	}
	return ""
}
