package live

import (
	"context"
	"errors"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/signing"
	"gatelodge/internal/store"
)

// JWKS is the key set to publish (RFC 7517). It has keys of every algorithm: they
// are made when they are first asked for, since an RSA key takes a while and many
// servers never sign. Keys in use are followed by new ones in [View.Run].
func (v *View) JWKS(ctx context.Context, now time.Time) ([]byte, error) {
	for _, alg := range signing.Algorithms() {
		if err := v.ReadyToSign(ctx, alg, now); err != nil {
			return nil, err
		}
	}
	return v.signing.Load().set.JWKS(now), nil
}

// ReadyToSign makes the first key of an algorithm. Those that follow are not waited
// for: while there is a key, a database that fails is no reason not to sign.
func (v *View) ReadyToSign(ctx context.Context, alg signing.Algorithm, now time.Time) error {
	for _, k := range v.signing.Load().all {
		if k.Algorithm == alg && (k.RetiredAt.IsZero() || now.Before(k.RetiredAt)) {
			return nil
		}
	}
	return v.ensureKey(ctx, alg, now)
}

// SignJWT signs claims as a token of the given type.
func (v *View) SignJWT(ctx context.Context, alg signing.Algorithm, typ signing.Type, claims []byte, now time.Time) (string, error) {
	token, err := v.signing.Load().set.SignJWT(alg, typ, claims, now)
	if !errors.Is(err, signing.ErrNoKey) {
		return token, err
	}
	if err := v.ReadyToSign(ctx, alg, now); err != nil {
		return "", err
	}
	return v.signing.Load().set.SignJWT(alg, typ, claims, now)
}

// VerifyJWT gives the claims of a token that was signed here as one of this type,
// expired or not. Its refusal is signing.ErrInvalid.
func (v *View) VerifyJWT(ctx context.Context, token string, typ signing.Type, now time.Time) ([]byte, error) {
	claims, err := v.signing.Load().set.Verify(token, typ, now)
	if !errors.Is(err, signing.ErrUnknownKey) {
		return claims, err
	}
	if err := v.readAgain(ctx, &v.signingRead, v.loadSigning); err != nil {
		return nil, err
	}
	if claims, err = v.signing.Load().set.Verify(token, typ, now); errors.Is(err, signing.ErrUnknownKey) {
		return nil, signing.ErrInvalid
	}
	return claims, err
}

// ensureKey makes a key of the algorithm when it is time for one.
func (v *View) ensureKey(ctx context.Context, alg signing.Algorithm, now time.Time) error {
	if !signing.Due(alg, v.signing.Load().all, now) {
		return nil
	}
	v.making.Lock()
	defer v.making.Unlock()
	if !signing.Due(alg, v.signing.Load().all, now) {
		return nil // somebody else has, while this one waited
	}
	return v.AddSigningKey(ctx, alg, audit.By{At: now, Address: "server"})
}

// AddSigningKey makes and publishes the next key of an algorithm.
func (v *View) AddSigningKey(ctx context.Context, alg signing.Algorithm, by audit.By) error {
	key, err := signing.Next(alg, v.signing.Load().all, by.At)
	if err != nil {
		return err
	}
	private, err := key.MarshalPrivate()
	if err != nil {
		return err
	}
	err = v.store.AddSigningKey(ctx, store.SigningKey{
		ID: key.ID, Algorithm: string(key.Algorithm), Private: private, CreatedAt: key.CreatedAt, UsableFrom: key.UsableFrom,
	}, by)
	if err != nil {
		return err
	}
	return v.loadSigning(ctx)
}

// rotateSigningKeys follows keys that are in use by new ones in time.
func (v *View) rotateSigningKeys(ctx context.Context, now time.Time) {
	for _, alg := range signing.Algorithms() {
		for _, k := range v.signing.Load().all {
			if k.Algorithm != alg {
				continue
			}
			if err := v.ensureKey(ctx, alg, now); err != nil {
				v.log.Warn("a signing key could not be followed by a new one", "algorithm", string(alg), "error", err)
			}
			break
		}
	}
}
