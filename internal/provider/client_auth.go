package provider

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"gatelodge/internal/fetch"
	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
	"gatelodge/internal/signing"
	"gatelodge/internal/store"
)

// authenticate finds the client and has it prove itself: with a secret (RFC 6749
// section 2.3.1), compared in constant time, or with a key of its own (RFC 7523
// section 2.2). Every failure is the same on the wire.
func (p *Provider) authenticate(ctx context.Context, x *exchange, c oauth.ClientCredentials) error {
	if c.ClientID == "" {
		// RFC 7521 section 4.2: client_id may be left out, since the assertion has it.
		id, err := signing.AssertionClient(c.Assertion)
		if err != nil {
			return err
		}
		c.ClientID = id
	}
	key, err := p.Namespace.ParseClientID(c.ClientID)
	if err != nil {
		return oauth.ClientAuthenticationFailed().Because(err.Error())
	}
	client, err := p.View.Client(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return oauth.ClientAuthenticationFailed().Because("No application has this client ID.")
	}
	if err != nil {
		return err
	}
	x.client, x.method = client, c.Method
	if d, ok := client.Device(key); ok {
		x.device = d.ID
	}
	byKey := client.Settings.Auth == registry.AuthKey
	reason := ""
	switch {
	case c.Method == oauth.AuthNone && client.MustProveItself():
		reason = "The application registered with a way to prove itself, and has to use it."
	case c.Method == oauth.AuthNone && byKey && x.device == 0 && !client.Settings.Kind.Public():
		reason = "This security profile proves itself with a key (private_key_jwt), and the request has no client_assertion."
	case c.Method == oauth.AuthNone:
		return nil // each grant says what it gives a client that has not proved itself
	case x.device != 0:
		reason = "This is the client ID of a device, which has neither a secret nor a key."
	case c.Method == oauth.AuthAssertion && !byKey:
		reason = "This security profile proves itself with its secret, so a client_assertion is not taken. Choose keys under Settings first."
	case c.Method == oauth.AuthAssertion:
		return p.authenticateByKey(ctx, x, c.Assertion)
	case byKey:
		reason = "This security profile proves itself with a key (private_key_jwt), so its secret is not taken."
	default:
		return p.authenticateBySecret(x, c.Secret)
	}
	return oauth.ClientAuthenticationFailed().Because(reason)
}

func (p *Provider) authenticateBySecret(x *exchange, sent string) error {
	secret, ok := x.client.SecretMatching(sent, x.now)
	if !ok {
		reason := "The client secret sent is not one of this profile’s live secrets."
		if old, expired := x.client.ExpiredSecretMatching(sent, x.now); expired {
			reason = "The client secret sent ended on " + old.ExpiresAt.Format("2 January 2006, 15:04 UTC") + ". Use one of the live ones."
		}
		return oauth.ClientAuthenticationFailed().Because(reason)
	}
	x.secret = secret.ID
	return nil
}

// authenticateByKey takes an assertion that one of the client's keys has signed, once
// (RFC 7523 section 3; CVE-2020-5300).
func (p *Provider) authenticateByKey(ctx context.Context, x *exchange, text string) error {
	keys, err := p.clientKeys(ctx, x, text)
	if err != nil {
		return err
	}
	assertion, refused := signing.VerifyAssertion(keys, text, signing.AssertionRequest{
		ClientID: p.clientID(x.client, x.device),
		// Core section 9 and RFC 9126 section 2 have the issuer, the token endpoint and
		// the endpoint that was called; clients in the wild send any of them.
		Audiences: []string{p.Issuer, p.Issuer + standardToken, p.Issuer + amazonToken, x.endpoint},
		Now:       x.now,
	})
	if refused != nil {
		return refused
	}
	if p.View.BeforeRestore(assertion.MadeAt) {
		return oauth.ClientAuthenticationFailed().Because("The assertion may be from before the database was restored, which does not know whether it was used. Send a new one, with iat.")
	}
	first, err := p.Store.UseProof(ctx, assertionDigest(x.client.ID, assertion.ID), assertion.CountUntil, x.now)
	if err != nil {
		return err
	}
	if !first {
		return oauth.ClientAuthenticationFailed().Because("The assertion’s jti was used before: each request needs an assertion of its own.")
	}
	return nil
}

// clientKeys gives the client's keys: those that it registered, or those at the
// address that it registered.
func (p *Provider) clientKeys(ctx context.Context, x *exchange, assertion string) (signing.ClientKeys, error) {
	s := x.client.Settings
	if s.JWKSURI == "" && s.JWKS == "" {
		return signing.ClientKeys{}, oauth.ClientAuthenticationFailed().Because("This security profile has no keys yet. Add them under Settings.")
	}
	if s.JWKSURI != "" {
		keys, err := p.keySets.For(ctx, s.JWKSURI, assertion, x.now)
		if e, ok := errors.AsType[*fetch.Error](err); ok {
			return keys, oauth.ClientAuthenticationFailed().Because("The keys of this security profile could not be read. " + e.Words)
		}
		return keys, err
	}
	keys, err := signing.ParseJWKS([]byte(s.JWKS))
	if e, ok := errors.AsType[*signing.KeySetError](err); ok {
		return keys, oauth.ClientAuthenticationFailed().Because("The keys of this security profile cannot be used. " + e.Message)
	}
	return keys, err
}

// assertionDigest names an assertion: a jti is unique for its issuer, the client.
func assertionDigest(profileID int64, jti string) [32]byte {
	return sha256.Sum256(append(binary.BigEndian.AppendUint64([]byte("assertion "), uint64(profileID)), jti...))
}
