package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"gatelodge/internal/config"
	"gatelodge/internal/region"
	"gatelodge/internal/registry"
	"gatelodge/internal/store"
)

func newRegion() *cobra.Command {
	return group("region", "Let other regions of this service sign people in with their account here", newRegionAdmit(), newRegionRenew(), newRegionList())
}

func newRegionAdmit() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "admit --name NAME --title TITLE --issuer URL",
		Short: "Let another region sign people in who have their account here",
		Long: `Let another region of this service sign people in who have their account here.

Run it here, and take what it prints with --json to that region: its file of regions
names it as the credentials-file of this one.`,
	}
	name := cmd.Flags().String("name", "", "`name` of that region, as in the file of regions")
	title := cmd.Flags().String("title", "", "what people `call` it")
	issuer := cmd.Flags().String("issuer", "", "public base `URL` of that region")
	return administer(cmd, made, func(ctx context.Context, a *admin) error {
		if err := region.CheckName(*name); err != nil {
			return usageError{fmt.Errorf("--name: %w", err)}
		}
		if problem := config.CheckIssuer(*issuer); problem != "" {
			return usageError{fmt.Errorf("--issuer: %s", problem)}
		}
		if *issuer == a.issuer {
			return usageError{fmt.Errorf("--issuer %s: that is this region itself", *issuer)}
		}
		form, problems := registry.ParseProfileForm(*title, "The region "+*name+" of this service", *issuer+"/help")
		if problems != nil {
			return usageError{fmt.Errorf("--title: %s", problems[0].Message)}
		}
		settings := registry.DefaultSettings(registry.Web)
		settings.BackChannelLogoutURI = *issuer + region.EndedPath
		secret := registry.NewClientSecret(a.namespace)
		p, err := a.store.AdmitRegion(ctx, *name, store.NewProfile{
			Form: form, Settings: settings, Secret: secret,
			ReturnURLs: []registry.ReturnURL{{Value: *issuer + region.ReturnPath}}, PostLogoutURLs: []registry.ReturnURL{{Value: *issuer + region.HomePath}},
		}, a.by())
		if errors.Is(err, store.ErrNameTaken) {
			return fmt.Errorf("the region %s is admitted already: gatelodge region renew --name %s gives it another secret, gatelodge region list shows its client ID, with which gatelodge profile delete ends it", *name, *name)
		}
		if err != nil {
			return err
		}
		a.printRegion(p)
		a.out.print("client_secret", "Client Secret", secret)
		return nil
	})
}

func (a *admin) printRegion(p registry.SecurityProfile) {
	a.out.print("region", "Region", p.Region)
	a.out.print("title", "Title", p.Name)
	a.out.print("client_id", "Client ID", a.namespace.ClientID(p.Client))
}

func newRegionRenew() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "renew --name NAME",
		Short: "Give a region another secret",
		Long: `Give a region another secret. The newest that it has goes on beside it until the next
time, so that there is time to bring the new one there.`,
	}
	name := cmd.Flags().String("name", "", "`name` of that region")
	return administer(cmd, existing, func(ctx context.Context, a *admin) error {
		secret := registry.NewClientSecret(a.namespace)
		p, err := a.store.RenewRegion(ctx, *name, secret, a.by())
		if errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("no region %q is admitted: gatelodge region list shows those that are", *name)
		}
		if err != nil {
			return err
		}
		a.printRegion(p)
		a.out.print("client_secret", "Client Secret", secret)
		return nil
	})
}

func newRegionList() *cobra.Command {
	return administer(&cobra.Command{Use: "list", Short: "List the regions that are admitted here"}, existing, func(ctx context.Context, a *admin) error {
		all, err := a.store.Regions(ctx)
		if err != nil {
			return err
		}
		for _, p := range all {
			a.printRegion(p)
			a.out.print("last_used_at", "Last used", stamp(p.LastUsedAt))
			a.out.print("suspended", "Suspended", !p.SuspendedAt.IsZero())
			a.out.end()
		}
		return nil
	})
}
