package authz

import "encoding/binary"

// Extra is what a code or a token carries beyond what the parameters of Login with
// Amazon bring; most carry nothing of it.
type Extra struct {
	// Audience are the ids of the profiles of the APIs that were named as resource
	// (RFC 8707), at most [MaxAudience]. Without any, the scopes say whom the token is
	// for.
	Audience [MaxAudience]int64
	// Device is the id of the device client that the token was given to, 0 for the
	// profile's own client, or [OwnDevice].
	Device int64
	// Key is the thumbprint of the key that its bearer has to prove (RFC 9449 section
	// 6), zero for none.
	Key [32]byte
	// UserInfo and IDToken are what the parameter claims asked for, as oidc.ClaimSet.
	UserInfo, IDToken uint8
	// Session is the id of the session in which a code was given, where the application
	// is to hear of its end (Back-Channel Logout 1.0), 0 elsewhere. Access tokens have
	// none.
	Session int64
	// AsAsked: all that was asked for was granted, and some of it was asked for by
	// another name than the scope's own, which answers leave unsaid.
	AsAsked bool
}

// MaxAudience is how many APIs one token can be for.
const MaxAudience = 4

const (
	extraAudience = 1 << iota
	extraDevice
	extraKey
	extraClaims
	extraSession
	extraAsAsked
)

func (e Extra) flag() byte {
	if e == (Extra{}) {
		return 0
	}
	return flagExtra
}

func (e Extra) append(dst []byte) []byte {
	if e == (Extra{}) {
		return dst
	}
	at := len(dst)
	dst = append(dst, 0)
	put := func(present bool, bit byte, field func([]byte) []byte) {
		if present {
			dst[at] |= bit
			dst = field(dst)
		}
	}
	put(e.Audience != [MaxAudience]int64{}, extraAudience, func(b []byte) []byte {
		for _, id := range e.Audience {
			b = binary.BigEndian.AppendUint64(b, uint64(id))
		}
		return b
	})
	put(e.Device != 0, extraDevice, func(b []byte) []byte { return binary.BigEndian.AppendUint64(b, uint64(e.Device)) })
	put(e.Key != [32]byte{}, extraKey, func(b []byte) []byte { return append(b, e.Key[:]...) })
	put(e.UserInfo != 0 || e.IDToken != 0, extraClaims, func(b []byte) []byte { return append(b, e.UserInfo, e.IDToken) })
	put(e.Session != 0, extraSession, func(b []byte) []byte { return binary.BigEndian.AppendUint64(b, uint64(e.Session)) })
	put(e.AsAsked, extraAsAsked, func(b []byte) []byte { return b })
	return dst
}

// parseExtra reads what append wrote, if the flags of its payload say that it is
// there, and gives what follows.
func parseExtra(flags byte, b []byte) (e Extra, rest []byte, err error) {
	if flags&flagExtra == 0 {
		return e, b, nil
	}
	if len(b) == 0 {
		return e, nil, ErrPayload
	}
	present, rest := b[0], b[1:]
	take := func(bit byte, n int) []byte {
		if present&bit == 0 || err != nil {
			return nil
		}
		if len(rest) < n {
			err = ErrPayload
			return nil
		}
		field := rest[:n]
		rest = rest[n:]
		return field
	}
	if field := take(extraAudience, 8*MaxAudience); field != nil {
		for i := range e.Audience {
			e.Audience[i] = int64(binary.BigEndian.Uint64(field[8*i:]))
		}
	}
	if field := take(extraDevice, 8); field != nil {
		e.Device = int64(binary.BigEndian.Uint64(field))
	}
	copy(e.Key[:], take(extraKey, len(e.Key)))
	if field := take(extraClaims, 2); field != nil {
		e.UserInfo, e.IDToken = field[0], field[1]
	}
	if field := take(extraSession, 8); field != nil {
		e.Session = int64(binary.BigEndian.Uint64(field))
	}
	e.AsAsked = present&extraAsAsked != 0
	return e, rest, err
}
