package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"gatelodge/internal/registry"
	"gatelodge/internal/store"
)

func newProfileAPI() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "api CLIENT_ID (--audience URI | --none)",
		Short: "Make a security profile an API, which scopes can be for",
		Long: `Make a security profile an API, which scopes can be for (gatelodge scope create
--audience). Its credentials are then those of the API: it looks up tokens that are for
its scopes at /oauth2/introspect. Applications can name it in the parameter resource.`,
	}
	audience := cmd.Flags().String("audience", "", "`identifier` of the API, an address such as https://api.example.com")
	none := cmd.Flags().Bool("none", false, "it is no API any more")
	return administerOne(cmd, func(ctx context.Context, a *admin, p registry.SecurityProfile) error {
		if *none == (*audience != "") {
			return usageError{errors.New("give either --audience or --none")}
		}
		identifier := ""
		if !*none {
			var problems registry.FieldErrors
			if identifier, problems = registry.ParseAudience(*audience); problems != nil {
				return asUsage(inFlags(problems, "", "", nil))
			}
			if identifier == a.issuer {
				return usageError{fmt.Errorf("--audience %s: that is this server itself", identifier)}
			}
		}
		err := a.store.SetAudience(ctx, p.ID, identifier, a.by())
		switch {
		case errors.Is(err, store.ErrNameTaken):
			return fmt.Errorf("another profile is the API %s", identifier)
		case errors.Is(err, store.ErrInUse):
			return errors.New("scopes are for this API: retire them first, or give them another one (gatelodge scope edit --audience)")
		case err != nil:
			return err
		}
		a.out.print("name", "Name", p.Name)
		a.out.print("client_id", "Client ID", a.namespace.ClientID(p.Client))
		a.out.print("audience", "API", identifier)
		return nil
	})
}
