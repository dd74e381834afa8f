package provider

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"log/slog"
	"net/url"
	"slices"
	"sync"
	"time"

	"gatelodge/internal/audit"
	"gatelodge/internal/fetch"
	"gatelodge/internal/oidc"
	"gatelodge/internal/signing"
	"gatelodge/internal/store"
)

const (
	// logoutsAtOnce leaves others a part of what the fetcher does at once.
	logoutsAtOnce = 8
	// lookForLogouts is how often a server looks for notices that others left.
	lookForLogouts = 10 * time.Second
	// logoutTokenLifetime is the most that Back-Channel Logout 1.0 section 2.4 advises.
	logoutTokenLifetime = 2 * time.Minute
)

// logoutWaits returns how long to wait after each failed attempt; one more failure is
// the last.
func logoutWaits() []time.Duration {
	return []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute}
}

// sessionID is the name that an application knows a session by (Back-Channel Logout
// 1.0 section 2.1), "" for none. Applications cannot compare theirs, nor does it say
// anything of the session's cookie.
func (p *Provider) sessionID(profileID, session int64) string {
	if session == 0 {
		return ""
	}
	mac := hmac.New(sha256.New, p.sessions)
	mac.Write(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(profileID)), uint64(session)))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
}

// wakeForLogouts observes what this process commits.
func (p *Provider) wakeForLogouts(changes []store.Change) {
	if slices.ContainsFunc(changes, func(c store.Change) bool { return c.Kind == store.LogoutsDue }) {
		select {
		case p.logouts <- struct{}{}:
		default: // it is awake
		}
	}
}

// Run tells applications of sign-outs (Back-Channel Logout 1.0 section 2.5) until ctx
// ends. Notices wait in the database, so what one server does not get to another does.
func (p *Provider) Run(ctx context.Context) {
	for {
		wait, err := p.tellLogouts(ctx)
		if err != nil && ctx.Err() == nil {
			p.Log.LogAttrs(ctx, slog.LevelWarn, "applications could not be told of sign-outs", slog.String("error", err.Error()))
			wait = lookForLogouts
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-p.logouts:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// tellLogouts tells what is due, and gives how long nothing more will be.
func (p *Provider) tellLogouts(ctx context.Context) (time.Duration, error) {
	for {
		next, err := p.Store.NextLogout(ctx)
		if err != nil || next.IsZero() {
			return lookForLogouts, err
		}
		now := p.Now()
		if wait := next.Sub(now); wait > 0 {
			return min(wait, lookForLogouts), nil
		}
		due, err := p.Store.ClaimLogouts(ctx, now, logoutsAtOnce)
		if err != nil {
			return 0, err
		}
		errs := make([]error, len(due))
		var wg sync.WaitGroup
		for i, n := range due {
			wg.Go(func() { errs[i] = p.tellLogout(ctx, n) })
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			return 0, err
		}
	}
}

// tellLogout makes one attempt. That the application does not take it is no error: it
// is tried again, or its owner reads of it.
func (p *Provider) tellLogout(ctx context.Context, n store.LogoutNotice) error {
	profile, err := p.View.Profile(ctx, n.ProfileID)
	if errors.Is(err, store.ErrNotFound) {
		return p.Store.DropLogout(ctx, n)
	}
	if err != nil {
		return err
	}
	address := profile.Settings.BackChannelLogoutURI
	if address == "" {
		return p.Store.DropLogout(ctx, n)
	}
	now := p.Now()
	claims, err := oidc.LogoutToken{
		Issuer: p.Issuer, Audience: p.Namespace.ClientID(profile.Client), Subject: p.userID(profile, n.UserID),
		SessionID: p.sessionID(n.ProfileID, n.SessionID), ID: rand.Text(), IssuedAt: now, ExpiresAt: now.Add(logoutTokenLifetime),
	}.Claims()
	if err != nil {
		return err
	}
	token, err := p.View.SignJWT(ctx, signing.Algorithm(profile.Settings.IDTokenAlg), signing.LogoutToken, claims, now)
	if err != nil {
		return err
	}
	if _, err = p.Fetch.PostForm(ctx, address, url.Values{"logout_token": {token}}); err == nil {
		return p.Store.DropLogout(ctx, n)
	}
	if ctx.Err() != nil {
		return nil // this server stops; another attempt follows
	}
	refusal := audit.Refusal{ProfileID: profile.ID, Endpoint: "back-channel logout", Code: "not_delivered", Sent: address, LastAt: now,
		Words: "A user signed out, and the back-channel logout address could not be told. "}
	if e, ok := errors.AsType[*fetch.Error](err); ok {
		refusal.Words += e.Words
	}
	waits := logoutWaits()
	if n.Attempts > len(waits) {
		refusal.Words += " It is not tried again: the application may still take the user for signed in."
		p.View.Refused(refusal)
		return p.Store.DropLogout(ctx, n)
	}
	refusal.Words += " It is tried again."
	p.View.Refused(refusal)
	return p.Store.PutOffLogout(ctx, n, now.Add(waits[n.Attempts-1]))
}
