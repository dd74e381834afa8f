package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"gatelodge/internal/registry"
	"gatelodge/internal/store"
)

func newProfile() *cobra.Command {
	return group("profile", "Administer security profiles",
		newProfileCreate(), newProfileList(), newProfileShow(), newProfileSettings(), newProfileAPI(), newProfileSuspend(), newProfileDelete())
}

func newProfileCreate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "create --owner EMAIL --name NAME --description TEXT --privacy-url URL [--kind KIND] [--return-url URL]... [--scope SCOPE]...",
		Short: "Make a security profile and print its credentials",
	}
	owner := cmd.Flags().String("owner", "", "e-mail `address` of a person with a developer account")
	name := cmd.Flags().String("name", "", "Security Profile Name, a `name` that users see")
	description := cmd.Flags().String("description", "", "Security Profile Description, a `sentence`")
	privacy := cmd.Flags().String("privacy-url", "", "Consent Privacy Notice `URL`")
	flags := newProfileFlags(cmd)
	scopes := cmd.Flags().StringArray("scope", nil, "a `scope` that the application will ask for, granted to it where not every application may; may be repeated")
	return administer(cmd, existing, func(ctx context.Context, a *admin) error {
		form, formProblems := registry.ParseProfileForm(*name, *description, *privacy)
		in, problems := flags.read(registry.SecurityProfile{Settings: registry.DefaultSettings(registry.Web)})
		if err := asUsage(append(inFlags(formProblems, "", "", nil), problems...)); err != nil {
			return err
		}
		known, err := a.scopes(ctx)
		if err != nil {
			return err
		}
		asked, unknown := known.Parse(*scopes)
		if len(unknown) > 0 {
			return usageError{noScope(unknown...)}
		}
		u, err := a.accountOf(ctx, "owner", *owner)
		if err != nil {
			return err
		}
		d, err := a.developerOf(ctx, u)
		if err != nil {
			return err
		}
		secret := registry.NewClientSecret(a.namespace)
		p, err := a.store.CreateProfile(ctx, store.NewProfile{
			DeveloperID: d.ID, Form: form, Settings: in.settings, Granted: known.Restricted(asked), Secret: secret,
			ReturnURLs: in.returnURLs, Origins: in.origins, PostLogoutURLs: in.postLogout,
		}, a.by())
		if err != nil {
			return err
		}
		a.printProfile(p)
		a.out.print("client_secret", "Client Secret", secret)
		return nil
	})
}

func (a *admin) printProfile(p registry.SecurityProfile) {
	a.out.print("name", "Name", p.Name)
	a.out.print("client_id", "Client ID", a.namespace.ClientID(p.Client))
	a.out.print("application_id", "Application ID", a.namespace.ApplicationID(p.Application))
	a.out.print("created_at", "Created", stamp(p.CreatedAt))
	a.out.print("last_used_at", "Last used", stamp(p.LastUsedAt))
	a.out.print("suspended", "Suspended", !p.SuspendedAt.IsZero())
	a.out.print("registered_itself", "Registered itself", p.Dynamic)
}

func newProfileList() *cobra.Command {
	return administer(&cobra.Command{Use: "list", Short: "List security profiles, the newest first"}, existing, func(ctx context.Context, a *admin) error {
		q := store.ProfileQuery{Limit: 500}
		for {
			page, err := a.store.Profiles(ctx, q)
			if err != nil {
				return err
			}
			for _, p := range page.Profiles {
				a.printProfile(p)
				a.out.end()
				q.Before = p.ID
			}
			if !page.More {
				return nil
			}
		}
	})
}

// scopes reads the table of scopes.
func (a *admin) scopes(ctx context.Context) (*registry.Scopes, error) {
	all, _, err := a.store.Scopes(ctx)
	if err != nil {
		return nil, err
	}
	return registry.NewScopes(all)
}

// profileOf finds a profile by its client ID.
func (a *admin) profileOf(ctx context.Context, clientID string) (registry.SecurityProfile, error) {
	key, err := a.namespace.ParseClientID(clientID)
	if err != nil {
		return registry.SecurityProfile{}, usageError{err}
	}
	p, _, err := a.store.ProfileByClient(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return p, fmt.Errorf("there is no security profile with the client ID %s", clientID)
	}
	return p, err
}

func newProfileShow() *cobra.Command {
	cmd := &cobra.Command{Use: "show CLIENT_ID", Short: "Show a security profile"}
	return administerOne(cmd, func(ctx context.Context, a *admin, p registry.SecurityProfile) error {
		a.printProfile(p)
		a.out.print("description", "Description", p.Description)
		a.out.print("privacy_url", "Privacy notice", p.PrivacyURL)
		a.printSettings(p)
		known, err := a.scopes(ctx)
		if err != nil {
			return err
		}
		a.out.print("scopes", "May ask for", mayAsk(p, known))
		return nil
	})
}

func newProfileSuspend() *cobra.Command {
	cmd := &cobra.Command{Use: "suspend CLIENT_ID [--resume]", Short: "Refuse everything a security profile asks, until it is resumed"}
	resume := cmd.Flags().Bool("resume", false, "end the suspension")
	return administerOne(cmd, func(ctx context.Context, a *admin, p registry.SecurityProfile) error {
		by := a.by()
		at := by.At
		if *resume {
			at = time.Time{}
		}
		if err := a.store.SetProfileSuspended(ctx, p.ID, at, by); err != nil {
			return err
		}
		p.SuspendedAt = at
		a.printProfile(p)
		return nil
	})
}

func newProfileDelete() *cobra.Command {
	cmd := &cobra.Command{Use: "delete CLIENT_ID", Short: "Delete a security profile with all its credentials and grants, for good"}
	return administerOne(cmd, func(ctx context.Context, a *admin, p registry.SecurityProfile) error {
		if err := a.store.DeleteProfile(ctx, p.DeveloperID, p.ID, a.by()); err != nil {
			return err
		}
		a.out.print("client_id", "Client ID", a.namespace.ClientID(p.Client))
		a.out.print("deleted", "Deleted", true)
		return nil
	})
}

// administerOne is administer for a command whose argument is a client ID.
func administerOne(cmd *cobra.Command, do func(ctx context.Context, a *admin, p registry.SecurityProfile) error) *cobra.Command {
	cmd.Args = func(_ *cobra.Command, args []string) error {
		switch len(args) {
		case 0:
			return usageError{errors.New("a CLIENT_ID is missing: gatelodge profile list shows them")}
		case 1:
			return nil
		}
		return usageError{errors.New("one CLIENT_ID at a time")}
	}
	return administer(cmd, existing, func(ctx context.Context, a *admin) error {
		p, err := a.profileOf(ctx, cmd.Flags().Arg(0))
		if err != nil {
			return err
		}
		return do(ctx, a, p)
	})
}
