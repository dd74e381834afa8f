package provider

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net/http"
	"strings"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/authz"
	"gatelodge/internal/oauth"
	"gatelodge/internal/seal"
	"gatelodge/internal/signing"
)

// jkt is the thumbprint of a key that a client has proved (RFC 7638), zero for none.
type jkt = [sha256.Size]byte

// parseThumbprint reads what package oauth has found to be one, or "".
func parseThumbprint(s string) (k jkt) {
	if sum, err := base64.RawURLEncoding.DecodeString(s); err == nil {
		copy(k[:], sum)
	}
	return k
}

// proofHeader is the header DPoP as net/http keeps it: another spelling is made this
// one each time that it is looked up.
const proofHeader = "Dpop"

const (
	// nonceLifetime is how long a nonce may be repeated (RFC 9449 section 8).
	nonceLifetime = 5 * time.Minute
	// proofMemory is how long a proof is remembered: the nonce in it may be another
	// replica's, whose clock is ahead, and be taken by a third one, whose clock is behind.
	proofMemory = nonceLifetime + 2*authz.ClockSkew
)

// offerNonce gives the nonce for the client's next proof. It is the time under seal, so
// that every replica can read it and nothing has to be kept.
func (p *Provider) offerNonce(w http.ResponseWriter, now time.Time) error {
	nonce, err := p.View.Keys().Seal(nil, seal.Nonce, now, binary.BigEndian.AppendUint64(nil, uint64(now.Unix())))
	if err != nil {
		return err
	}
	w.Header().Set("DPoP-Nonce", string(nonce))
	return nil
}

// offerNonceFor gives a nonce to an application that sends proofs or has to.
func (p *Provider) offerNonceFor(w http.ResponseWriter, r *http.Request, x *exchange) error {
	if len(r.Header.Values(proofHeader)) == 0 && (x.client == nil || !x.client.Settings.RequireDPoP) {
		return nil
	}
	return p.offerNonce(w, x.now)
}

// freshNonce reports whether a nonce was given out here, a few minutes ago at most.
func (p *Provider) freshNonce(nonce string, now time.Time) bool {
	plain, err := p.View.Keys().Open(seal.Nonce, nonce)
	if err != nil || len(plain) != 8 {
		return false
	}
	age := now.Sub(time.Unix(int64(binary.BigEndian.Uint64(plain)), 0))
	return -authz.ClockSkew <= age && age < nonceLifetime
}

// parseProof judges the one proof of a request.
func (p *Provider) parseProof(r *http.Request, want signing.DPoPRequest) (signing.DPoPProof, *oauth.Error) {
	switch headers := r.Header.Values(proofHeader); len(headers) {
	case 0:
		return signing.DPoPProof{}, oauth.InvalidProof("The request has no DPoP proof.")
	case 1:
		want.Method = r.Method
		return signing.ParseDPoP(headers[0], want)
	default:
		// RFC 9449 section 4.3, point 1.
		return signing.DPoPProof{}, oauth.InvalidProof("The request has more than one DPoP header.")
	}
}

// prove reads the proof of a request by an application, if it has one. A profile that
// requires proofs requires the nonce too: then one that was made long before it is used
// is worth nothing (RFC 9449 section 11.2). For others it is enough that a proof is of
// this minute, as many clients do not know nonces.
func (p *Provider) prove(r *http.Request, x *exchange) error {
	if len(r.Header.Values(proofHeader)) == 0 {
		return nil
	}
	proof, err := p.parseProof(r, signing.DPoPRequest{URL: x.endpoint, Now: x.now, Nonce: func(nonce string) bool {
		if nonce == "" {
			return !x.client.Settings.RequireDPoP
		}
		return p.freshNonce(nonce, x.now)
	}})
	if err != nil {
		return err
	}
	x.key = proof.Thumbprint
	x.proof = sha256.Sum256(append(append([]byte("proof "), proof.Thumbprint[:]...), proof.ID...))
	return nil
}

// spend counts the proof of a request: it is good for one (RFC 9449 section 11.1). A
// grant that writes does this before, so that a request sent twice ends nothing, and
// after its checks, so that strangers cannot cause writes. For those that do not write,
// the phases see to it.
func (p *Provider) spend(ctx context.Context, x *exchange) error {
	if x.key == (jkt{}) || x.spent {
		return nil
	}
	first, err := p.Store.UseProof(ctx, x.proof, x.now.Add(proofMemory), x.now)
	if err != nil {
		return err
	}
	if !first {
		return oauth.InvalidProof("The DPoP proof was used before: each request needs a proof of its own.")
	}
	x.spent = true
	return nil
}

// refreshKey is the key that a refresh token is bound to: that of a client which cannot
// prove itself otherwise (RFC 9449 section 5).
func (x *exchange) refreshKey() jkt {
	if x.method != oauth.AuthNone {
		return jkt{}
	}
	return x.key
}

// proofError is a refusal at a protected resource whose challenge asks for a proof.
type proofError struct{ cause *oauth.Error }

func (e *proofError) Error() string { return e.cause.Error() }

func (e *proofError) Unwrap() error { return e.cause }

// refusePresented makes e fit the scheme by which the token came.
func refusePresented(given oauth.Presented, e *oauth.Error) error {
	if given.Proved {
		return &proofError{e}
	}
	return e
}

// checkPresented finds out what the access token of a request is good for, and holds
// the request to the key that the token is bound to (RFC 9449 section 7). It writes
// nothing, so a proof is good for its minute, or its nonce's, with this very token at
// this very resource.
func (p *Provider) checkPresented(w http.ResponseWriter, r *http.Request, given oauth.Presented, now time.Time) (bearer, error) {
	b, err := p.checkToken(r.Context(), given.Token, now)
	if e, ok := errors.AsType[*oauth.Error](err); ok {
		return b, refusePresented(given, e)
	}
	if err != nil {
		return b, err
	}
	key := b.token.Extra.Key
	if key == (jkt{}) && !given.Proved {
		return b, nil
	}
	if err := p.offerNonce(w, now); err != nil {
		return b, err
	}
	if e := p.checkBinding(r, given, key, now); e != nil {
		p.refuse(r, b.profile, audit.Refusal{Endpoint: r.URL.Path, Code: string(e.Code), Words: words(e)})
		return b, &proofError{e}
	}
	return b, nil
}

func (p *Provider) checkBinding(r *http.Request, given oauth.Presented, key jkt, now time.Time) *oauth.Error {
	switch {
	case key == jkt{}:
		return oauth.InvalidAccessToken().Because("An access token that is bound to no key came by the scheme DPoP. Send it as Bearer.")
	case !given.Proved:
		// Section 7.2: what was stolen is worth nothing as a bearer token.
		return oauth.InvalidAccessToken().Because("An access token that is bound to a key came without a proof. Send it as “Authorization: DPoP”, with a proof beside it.")
	}
	proof, err := p.parseProof(r, signing.DPoPRequest{
		URL: p.Issuer + r.URL.Path, AccessToken: given.Token, Now: now,
		Nonce: func(nonce string) bool { return nonce == "" || p.freshNonce(nonce, now) },
	})
	if err == nil && proof.Thumbprint != key {
		err = oauth.InvalidAccessToken().Because("The DPoP proof is by another key than the one that the access token is bound to.")
	}
	return err
}

// askForProof answers at a protected resource, in the scheme DPoP.
func (p *Provider) askForProof(w http.ResponseWriter, r *http.Request, e *oauth.Error) error {
	w.Header().Set("WWW-Authenticate", `DPoP error="`+string(e.Code)+`", error_description="`+e.Description+`", `+proofAlgorithms)
	return p.writeError(w, r, e.BearerStatus(), e)
}

// proofAlgorithms is the parameter algs of a challenge (RFC 9449 section 7.1).
var proofAlgorithms = `algs="` + strings.Join(signing.ClientAlgorithms(), " ") + `"`
