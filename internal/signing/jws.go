package signing

import (
	"encoding/base64"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

// ClientAlgorithms are those with which clients may sign assertions and proofs, as
// metadata names them. None is symmetric, and "none" is not among them.
func ClientAlgorithms() []string {
	return []string{string(jose.ES256), string(jose.RS256), string(jose.PS256)}
}

// fromClients is the same for the library.
var fromClients = []jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.PS256}

// strict refuses the second spelling that unused bits at the end would give.
var strict = base64.RawURLEncoding.Strict()

// parseCompact reads a compact JWS (RFC 7515 section 7.1). Nothing in it is
// verified yet. It is stricter than the library, which takes line breaks, unused
// bits and the extension b64.
func parseCompact(token string, limit int, algs []jose.SignatureAlgorithm) (*jose.JSONWebSignature, error) {
	if len(token) > limit {
		return nil, errors.New("too long")
	}
	if strings.ContainsAny(token, "\r\n") {
		return nil, errors.New("line break")
	}
	for part := range strings.SplitSeq(token, ".") {
		if _, err := strict.DecodeString(part); err != nil {
			return nil, err
		}
	}
	jws, err := jose.ParseSignedCompact(token, algs)
	if err != nil {
		return nil, err
	}
	for _, name := range []jose.HeaderKey{"crit", "b64"} {
		// RFC 7515 section 4.1.11: an extension that is not understood makes the
		// JWS invalid, and none is understood here.
		if _, ok := jws.Signatures[0].Protected.ExtraHeaders[name]; ok {
			return nil, errors.New("critical extension")
		}
	}
	return jws, nil
}

// typeOf gives the typ of a header, "" when there is none.
func typeOf(h jose.Header) string {
	typ, _ := h.ExtraHeaders[jose.HeaderType].(string)
	return typ
}

// decode reads claims with the library's own JSON, which matches names exactly and
// refuses a name that occurs twice: two readers can then never see two values.
func decode(claims []byte, into any) error {
	if !utf8.Valid(claims) {
		return errors.New("not UTF-8")
	}
	return json.Unmarshal(claims, into)
}

// numericDate is a NumericDate (RFC 7519 section 2) in whole seconds.
type numericDate int64

// maxDate is the end of the year 9999.
const maxDate = 253402300799

func (d *numericDate) UnmarshalJSON(b []byte) error {
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil || f < 0 || f > maxDate {
		return errors.New("not a time")
	}
	*d = numericDate(math.Floor(f))
	return nil
}

func (d numericDate) time() time.Time { return time.Unix(int64(d), 0).UTC() }

// audience is one string or an array of them (RFC 7519 section 4.1.3).
type audience []string

func (a *audience) UnmarshalJSON(b []byte) error {
	var one string
	if err := json.Unmarshal(b, &one); err == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(a))
}

// maxID is the longest jti that is read.
const maxID = 256

// isID reports whether a jti can be counted: it is there, not long, and text that
// every database takes.
func isID(jti string) bool {
	return jti != "" && len(jti) <= maxID && !strings.ContainsFunc(jti, func(r rune) bool { return r < 0x20 || r == 0x7f })
}
