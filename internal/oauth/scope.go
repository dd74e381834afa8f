package oauth

import (
	"errors"
	"fmt"
	"iter"
	"math/bits"
	"slices"
	"strings"
)

// ParseScope reads a scope (RFC 6749 section 3.3): its tokens in the order sent,
// each once. Blanks too many are forgiven, as clients build the value by joining.
func ParseScope(s string) ([]string, *Error) {
	var tokens []string
	for token := range strings.SplitSeq(s, " ") {
		if token == "" || slices.Contains(tokens, token) {
			continue
		}
		if !isScopeToken(token) {
			return nil, invalidScope("The scope has a character that no scope has; scopes are separated by blanks.")
		}
		tokens = append(tokens, token)
	}
	if len(tokens) == 0 {
		return nil, invalidScope("The scope is blank.")
	}
	return tokens, nil
}

// invalidScope has the text of login-with-amazon.md section 8.
func invalidScope(reason string) *Error {
	e := InvalidParameter("scope").Because(reason)
	e.Code = InvalidScope
	return e
}

// isScopeToken checks scope-token = 1*NQCHAR (RFC 6749 appendix A.4).
func isScopeToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= 0x20 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return s != ""
}

// maxScopeBytes is the room that a code of 128 characters has for its scopes,
// beside the time of the sign-in.
const maxScopeBytes = 9

// MaxScopes is how many scope numbers there can be, from 0 on.
const MaxScopes = 8 * maxScopeBytes

// ScopeSet is a set of scopes by their numbers, which package registry gives.
type ScopeSet [2]uint64

// ErrScopeSet says that bytes are not what [ScopeSet.AppendBinary] writes.
var ErrScopeSet = errors.New("oauth: not a scope set")

// Has reports whether scope n is in the set.
func (s ScopeSet) Has(n int) bool {
	return 0 <= n && n < MaxScopes && s[n/64]&(1<<(n%64)) != 0
}

// With returns the set with scope n added. It panics if there can be no such
// number: numbers are program text, not input.
func (s ScopeSet) With(n int) ScopeSet {
	if n < 0 || n >= MaxScopes {
		panic(fmt.Sprintf("oauth: scope number %d out of range", n))
	}
	s[n/64] |= 1 << (n % 64)
	return s
}

// Union returns what is in s or in o.
func (s ScopeSet) Union(o ScopeSet) ScopeSet { return ScopeSet{s[0] | o[0], s[1] | o[1]} }

// Intersect returns what is in s and in o.
func (s ScopeSet) Intersect(o ScopeSet) ScopeSet { return ScopeSet{s[0] & o[0], s[1] & o[1]} }

// Minus returns what is in s and not in o.
func (s ScopeSet) Minus(o ScopeSet) ScopeSet { return ScopeSet{s[0] &^ o[0], s[1] &^ o[1]} }

// Empty reports whether nothing is in the set.
func (s ScopeSet) Empty() bool { return s == ScopeSet{} }

// ContainsAll reports whether all of o is in s.
func (s ScopeSet) ContainsAll(o ScopeSet) bool { return o.Minus(s).Empty() }

// Numbers yields the scopes' numbers in ascending order.
func (s ScopeSet) Numbers() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i, word := range s {
			for ; word != 0; word &= word - 1 {
				if !yield(64*i + bits.TrailingZeros64(word)) {
					return
				}
			}
		}
	}
}

// AppendBinary appends the set, one bit per number from the lowest on, without
// the zero bytes at its end: at most 9 bytes, none for the empty set.
func (s ScopeSet) AppendBinary(dst []byte) []byte {
	end := len(dst)
	for i := range maxScopeBytes {
		b := byte(s[i/8] >> (8 * (i % 8)))
		dst = append(dst, b)
		if b != 0 {
			end = len(dst)
		}
	}
	return dst[:end]
}

// ParseScopeSet reads what AppendBinary wrote.
func ParseScopeSet(b []byte) (ScopeSet, error) {
	if len(b) > maxScopeBytes || len(b) > 0 && b[len(b)-1] == 0 {
		return ScopeSet{}, ErrScopeSet
	}
	var s ScopeSet
	for i, bits := range b {
		s[i/8] |= uint64(bits) << (8 * (i % 8))
	}
	return s, nil
}
