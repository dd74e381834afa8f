package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"gatelodge/internal/authz"
	"gatelodge/internal/live"
	"gatelodge/internal/oauth"
	"gatelodge/internal/provider"
	"gatelodge/internal/store"
)

func newGrant() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "create --profile CLIENT_ID --user EMAIL --scope SCOPE...",
		Short: "Allow a security profile what a user would, and print a refresh token",
		Long: `Allow a security profile what a user would, and print a refresh token.

For operators and load tests: the user is not asked, but finds the application
among those connected and can remove it.`,
	}
	profile := cmd.Flags().String("profile", "", "client `ID` of the security profile")
	user := cmd.Flags().String("user", "", "e-mail `address` of the account")
	scopes := cmd.Flags().StringArray("scope", nil, "a `scope`; may be repeated")
	create := administer(cmd, existing, func(ctx context.Context, a *admin) error {
		known, err := a.scopes(ctx)
		if err != nil {
			return err
		}
		var names []string
		for _, s := range *scopes {
			names = append(names, strings.Fields(s)...)
		}
		set, unknown := known.Parse(names)
		switch {
		case len(unknown) > 0:
			return usageError{noScope(unknown...)}
		case set.Empty():
			return usageError{errors.New("--scope is missing")}
		}
		if *profile == "" {
			return usageError{errors.New("--profile is missing")}
		}
		p, err := a.profileOf(ctx, *profile)
		if err != nil {
			return err
		}
		if refused := set.Minus(known.Usable(&p, set)); !refused.Empty() {
			return fmt.Errorf("not granted to this profile: %s; gatelodge scope grant grants it", strings.Join(known.Names(refused), ", "))
		}
		u, err := a.accountOf(ctx, "user", *user)
		if err != nil {
			return err
		}
		by := a.by()
		grant, err := a.store.Allow(ctx, store.Allowance{AccountID: u.ID, ProfileID: p.ID, Asked: set, Allowed: set, Words: "operator"}, by)
		if errors.Is(err, store.ErrNotFound) {
			return errors.New("the profile is suspended or the account disabled")
		}
		if err != nil {
			return err
		}
		view, err := live.New(ctx, a.store, a.issuer, slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		var family authz.Family
		rand.Read(family[:])
		token, err := provider.NewRefreshToken(view, authz.RefreshToken{
			GrantID: grant.ID, Family: family, Scopes: set, Dialect: oauth.LoginWithAmazon, IssuedAt: by.At,
		})
		if err != nil {
			return err
		}
		a.out.print("client_id", "Client ID", *profile)
		a.out.print("user", "User", u.Email)
		a.out.print("scope", "Scope", strings.Join(known.Names(set), " "))
		a.out.print("refresh_token", "Refresh token", token)
		return nil
	})
	return group("grant", "Administer grants", create)
}
