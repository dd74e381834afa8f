package store_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gatelodge/internal/authz"
	"gatelodge/internal/oauth"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

// token is what a redeemed code gave, with what the model knows of it.
type token struct {
	grant  int64
	family authz.Family
	scopes oauth.ScopeSet
	dead   bool
}

// life is the model of grants: what users have allowed, and what hangs on it.
type life struct {
	w        *storetest.World
	accounts []int64
	profiles map[int64]int64 // live ones, with their developers

	allowed  map[int64]oauth.ScopeSet // by grant, all that was ever allowed to it
	owner    map[int64][2]int64       // account and profile of a grant
	gone     map[int64]bool           // grants that ended
	codes    []token                  // not redeemed yet, or again
	used     map[authz.Family]bool
	tokens   []token
	now      time.Time
	lastCode *uint32
}

// Whatever users, applications and owners do in whatever order: a code gives one
// family and never a second; what has ended stays ended; and no token ever does
// more than its user allowed that grant.
func TestLifeOfGrants(t *testing.T) {
	w := storetest.New(t, sqldb.SQLite)
	var people int
	var lastCode uint32
	rapid.Check(t, func(rt *rapid.T) {
		l := &life{
			w: w, profiles: map[int64]int64{}, allowed: map[int64]oauth.ScopeSet{}, owner: map[int64][2]int64{},
			gone: map[int64]bool{}, used: map[authz.Family]bool{}, now: storetest.Now(), lastCode: &lastCode,
		}
		for range 2 {
			people++
			l.accounts = append(l.accounts, w.Account(t, fmt.Sprintf("user%d@example.com", people)).ID)
			_, d := w.Developer(t, fmt.Sprintf("dev%d@example.com", people))
			p, _ := w.Profile(t, d.ID, "Reports")
			l.profiles[p.ID] = d.ID
		}
		rt.Repeat(map[string]func(*rapid.T){
			"allow":          func(rt *rapid.T) { l.allow(t, rt) },
			"code":           l.code,
			"redeem":         func(rt *rapid.T) { l.redeem(t, rt) },
			"remove":         func(rt *rapid.T) { l.remove(t, rt) },
			"delete profile": func(rt *rapid.T) { l.deleteProfile(t, rt) },
			"":               func(rt *rapid.T) { l.check(t, rt) },
		})
	})
}

func drawScopes(rt *rapid.T, name string) oauth.ScopeSet {
	return scopes(rapid.SliceOfN(rapid.IntRange(0, 4), 1, 3).Draw(rt, name)...)
}

func (l *life) drawProfile(rt *rapid.T) int64 {
	if len(l.profiles) == 0 {
		rt.Skip("no profile is left")
	}
	return rapid.SampledFrom(slices.Sorted(maps.Keys(l.profiles))).Draw(rt, "profile")
}

func (l *life) drawGrant(rt *rapid.T) int64 {
	if len(l.owner) == 0 {
		rt.Skip("no grant yet")
	}
	return rapid.SampledFrom(slices.Sorted(maps.Keys(l.owner))).Draw(rt, "grant")
}

func (l *life) allow(t *testing.T, rt *rapid.T) {
	a := store.Allowance{AccountID: rapid.SampledFrom(l.accounts).Draw(rt, "account"), ProfileID: l.drawProfile(rt), Asked: drawScopes(rt, "asked")}
	a.Allowed = a.Asked.Intersect(drawScopes(rt, "ticked"))
	g, err := l.w.Store.Allow(t.Context(), a, storetest.By(0))
	if err != nil {
		rt.Fatal(err)
	}
	if l.gone[g.ID] {
		rt.Fatalf("grant %d is back", g.ID)
	}
	l.allowed[g.ID] = l.allowed[g.ID].Union(a.Allowed)
	l.owner[g.ID] = [2]int64{a.AccountID, a.ProfileID}
	if g.Scopes != l.allowed[g.ID] {
		rt.Fatalf("grant has %v, allowed was %v", g.Scopes, l.allowed[g.ID])
	}
}

// code makes one as the provider does, for a part of what is allowed. It may be of
// a grant that has ended since.
func (l *life) code(rt *rapid.T) {
	id := l.drawGrant(rt)
	*l.lastCode++
	var family authz.Family
	binary.BigEndian.PutUint32(family[:], *l.lastCode)
	l.codes = append(l.codes, token{grant: id, family: family, scopes: l.allowed[id].Intersect(drawScopes(rt, "scopes"))})
}

func (l *life) redeem(t *testing.T, rt *rapid.T) {
	if len(l.codes) == 0 {
		rt.Skip("no code yet")
	}
	code := rapid.SampledFrom(l.codes).Draw(rt, "code")
	got, err := l.w.Store.Redeem(t.Context(), store.Redeem{Code: code.family, GrantID: code.grant}, l.now)
	if err != nil {
		rt.Fatal(err)
	}
	want := authz.Redeemed
	switch {
	case l.gone[code.grant]:
		want = authz.GrantGone
	case l.used[code.family]:
		want = authz.Replayed
	}
	if got != want {
		rt.Fatalf("redemption %v, want %v", got, want)
	}
	switch got {
	case authz.Redeemed:
		l.used[code.family] = true
		l.tokens = append(l.tokens, code)
	case authz.Replayed:
		for i := range l.tokens {
			l.tokens[i].dead = l.tokens[i].dead || l.tokens[i].family == code.family
		}
	}
}

func (l *life) end(grant int64) {
	l.gone[grant] = true
	for i := range l.tokens {
		l.tokens[i].dead = l.tokens[i].dead || l.tokens[i].grant == grant
	}
}

func (l *life) remove(t *testing.T, rt *rapid.T) {
	id := l.drawGrant(rt)
	by := rapid.SampledFrom(l.accounts).Draw(rt, "account")
	err := l.w.Store.RemoveGrant(t.Context(), by, id, storetest.By(0))
	if l.gone[id] || l.owner[id][0] != by {
		if !errors.Is(err, store.ErrNotFound) {
			rt.Fatalf("removed what is not there: %v", err)
		}
		return
	}
	if err != nil {
		rt.Fatal(err)
	}
	l.end(id)
}

func (l *life) deleteProfile(t *testing.T, rt *rapid.T) {
	if rapid.IntRange(0, 5).Draw(rt, "seldom") > 0 {
		rt.Skip("not this time")
	}
	id := l.drawProfile(rt)
	if err := l.w.Store.DeleteProfile(t.Context(), l.profiles[id], id, storetest.By(0)); err != nil {
		rt.Fatal(err)
	}
	delete(l.profiles, id)
	for grant, owner := range l.owner {
		if owner[1] == id {
			l.end(grant)
		}
	}
}

// check asks of every token, as an endpoint would, what it is good for.
func (l *life) check(t *testing.T, rt *rapid.T) {
	seen := map[authz.Family]bool{}
	for _, token := range l.tokens {
		if seen[token.family] {
			rt.Fatal("a code gave two families")
		}
		seen[token.family] = true
		g, _, err := l.w.Store.GrantSnapshot(t.Context(), token.grant)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			rt.Fatal(err)
		}
		alive := err == nil && g.Live(token.family)
		if alive == token.dead {
			rt.Fatalf("token of %d alive: %v", token.grant, alive)
		}
		if effective := g.Effective(token.scopes); alive && (effective != token.scopes || !l.allowed[token.grant].ContainsAll(effective)) {
			rt.Fatalf("does %v of its %v; allowed was %v", effective, token.scopes, l.allowed[token.grant])
		}
	}
}
