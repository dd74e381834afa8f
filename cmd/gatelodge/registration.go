package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gatelodge/internal/registry"
	"gatelodge/internal/store"
)

func newRegistration() *cobra.Command {
	return group("registration", "Administer how applications register themselves",
		group("token", "Administer initial access tokens", newTokenCreate(), newTokenList(), newTokenRevoke()))
}

// Limits of an initial access token.
const (
	maxTokenUses = 10_000
	maxTokenLife = 3650 * 24 * time.Hour
)

func newTokenCreate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "create --owner EMAIL [--uses N] [--expires 30d] [--label TEXT]",
		Short: "Make a token with which applications register themselves, and print it",
		Long: `Make an initial access token (RFC 7591) and print it; it cannot be shown again.
An application that registers with it belongs to the owner's developer account.

The server has to run with --registration token or open.`,
	}
	owner := cmd.Flags().String("owner", "", "e-mail `address` of a person with a developer account")
	uses := cmd.Flags().Int64("uses", 1, "`how many` applications may register with it")
	expires := cmd.Flags().String("expires", "30d", "`how long` it lasts: days as 30d, or 12h, 45m")
	label := cmd.Flags().String("label", "", "your own `word` for it")
	return administer(cmd, existing, func(ctx context.Context, a *admin) error {
		life, err := parseLife(*expires)
		if err != nil || life <= 0 || life > maxTokenLife {
			return usageError{fmt.Errorf("--expires %s: write days or hours, such as 30d or 12h, up to 3650d", *expires)}
		}
		if *uses < 1 || *uses > maxTokenUses {
			return usageError{fmt.Errorf("--uses %d: write a number from 1 to %d", *uses, maxTokenUses)}
		}
		if problem := registry.ParseInitialTokenLabel(*label); problem != "" {
			return usageError{fmt.Errorf("--label: %s", problem)}
		}
		u, err := a.accountOf(ctx, "owner", *owner)
		if err != nil {
			return err
		}
		d, err := a.developerOf(ctx, u)
		if err != nil {
			return err
		}
		value, by := registry.NewInitialToken(), a.by()
		k, err := a.store.CreateInitialToken(ctx, registry.InitialToken{
			DeveloperID: d.ID, Label: *label, UsesLeft: *uses, ExpiresAt: by.At.Add(life),
		}, registry.Digest(value), by)
		if err != nil {
			return err
		}
		a.printToken(k, by.At)
		a.out.print("token", "Token", value)
		return nil
	})
}

// parseLife reads a duration that may be in days.
func parseLife(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseInt(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(s)
}

func (a *admin) printToken(k registry.InitialToken, now time.Time) {
	a.out.print("id", "ID", strconv.FormatInt(k.ID, 10))
	a.out.print("label", "Label", k.Label)
	a.out.print("uses_left", "Uses left", k.UsesLeft)
	a.out.print("created_at", "Created", stamp(k.CreatedAt))
	a.out.print("expires_at", "Expires", stamp(k.ExpiresAt))
	a.out.print("live", "Good", k.Live(now))
}

func newTokenList() *cobra.Command {
	return administer(&cobra.Command{Use: "list", Short: "List initial access tokens, the newest first, without their values"}, existing, func(ctx context.Context, a *admin) error {
		all, err := a.store.InitialTokens(ctx)
		if err != nil {
			return err
		}
		for _, k := range all {
			a.printToken(k, time.Now())
			a.out.end()
		}
		return nil
	})
}

func newTokenRevoke() *cobra.Command {
	cmd := &cobra.Command{Use: "revoke ID", Short: "End an initial access token; what registered with it stays"}
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usageError{errors.New("one ID is needed: gatelodge registration token list shows them")}
		}
		return nil
	}
	return administer(cmd, existing, func(ctx context.Context, a *admin) error {
		text := cmd.Flags().Arg(0)
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			// What was given may be a token's value: it is not repeated.
			return usageError{errors.New("this is not the ID of a token, which is a number: gatelodge registration token list shows them")}
		}
		err = a.store.RevokeInitialToken(ctx, id, a.by())
		if errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("there is no initial access token %d", id)
		}
		if err != nil {
			return err
		}
		a.out.print("id", "ID", text)
		a.out.print("revoked", "Revoked", true)
		return nil
	})
}
