package console

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
	"gatelodge/internal/seal"
)

// runLifetime is how long a run can be gone on with.
const runLifetime = time.Hour

// run is one flow that a developer runs. There is no row for it: the browser carries
// it, sealed, first as the parameter state and then in the page's form. It is bound to
// the profile and to the account that began it.
type run struct {
	Profile int64         `json:"p"`
	Account int64         `json:"a"`
	Started int64         `json:"t"`
	Dialect oauth.Dialect `json:"d"`
	Scope   []string      `json:"s,omitempty"`
	// Variables are what the application knows by now, by the names in its code.
	Variables map[string]string `json:"v"`
	// Answer is what the browser brought back; a run without one is a state.
	Answer []answered `json:"r,omitempty"`
	Made   []made     `json:"m,omitempty"`
}

// answered is a parameter of the authorization response.
type answered struct{ Name, Value string }

// made is a request that was made, with its answer.
type made struct {
	Step step  `json:"s"`
	At   int64 `json:"t"`
	// Variables are those that the request was made with, the secret left out.
	Variables map[string]string `json:"v,omitempty"`
	Status    int               `json:"c"`
	Header    []answered        `json:"h,omitempty"`
	Body      string            `json:"b,omitempty"`
}

// step is one of the requests that a run can make.
type step string

const (
	stepExchange step = "exchange"
	stepService  step = "service"
	stepInfo     step = "info"
	stepUser     step = "user"
	stepRefresh  step = "refresh"
	stepRevoke   step = "revoke"
)

func newRun(p registry.SecurityProfile, v visit, d oauth.Dialect, scope []string) run {
	return run{
		Profile: p.ID, Account: v.Account.ID, Started: v.now.Unix(), Dialect: d, Scope: scope, Variables: map[string]string{},
	}
}

// newVerifier makes a verifier (RFC 7636 section 4.1).
func newVerifier() string {
	var raw [32]byte
	rand.Read(raw[:])
	return base64.RawURLEncoding.EncodeToString(raw[:])
}

// challenge is S256 of the verifier (RFC 7636 section 4.2).
func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// sealRun makes the text that the browser carries. A run that has become too long
// forgets what it made first after the tokens.
func (s *Surface) sealRun(r run, now time.Time) (string, error) {
	for {
		plain, err := json.Marshal(r)
		if err != nil {
			return "", err
		}
		text, err := s.View.Keys().Seal(nil, seal.Run, now, plain)
		if !errors.Is(err, seal.ErrTooLong) || len(r.Made) < 2 {
			return string(text), err
		}
		r.Made = slices.Delete(slices.Clone(r.Made), 1, 2)
	}
}

// Why a run cannot be gone on with.
var (
	errNotARun    = errors.New("console: not a run of this page")
	errRunOfOther = errors.New("console: a run of another account or profile")
	errRunOver    = errors.New("console: a run that began too long ago")
	errMixUp      = errors.New("console: an answer of another server")
)

// openRun reads what [Surface.sealRun] made for this profile and this account.
func (s *Surface) openRun(ctx context.Context, v visit, p registry.SecurityProfile, text string) (run, error) {
	var r run
	plain, err := s.View.Open(ctx, seal.Run, text)
	if errors.Is(err, seal.ErrInvalid) || errors.Is(err, seal.ErrUnknownKey) {
		return r, errNotARun
	}
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(plain, &r); err != nil {
		return r, err
	}
	switch {
	case r.Profile != p.ID || r.Account != v.Account.ID:
		return r, errRunOfOther
	case v.now.Sub(time.Unix(r.Started, 0)) > runLifetime:
		return r, errRunOver
	}
	return r, nil
}
