package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
	"gatelodge/internal/store"
)

func newScope() *cobra.Command {
	g := group("scope", "Administer scopes: what applications may ask for",
		newScopeList(), newScopeShow(), newScopeCreate(), newScopeEdit(), newScopeWords(), newScopeRetire(), newScopeGrant(), newScopeWithdraw())
	g.Long = `Administer scopes: what applications may ask for, and what users read of it.

A scope can be for an API of yours: "gatelodge profile api" makes a security profile
one. A scope that is restricted can be asked for by the profiles that it was granted
to, any other by every profile.`
	return g
}

func newScopeList() *cobra.Command {
	return administer(&cobra.Command{Use: "list", Short: "List scopes in the order in which they were made"}, existing, func(ctx context.Context, a *admin) error {
		table, apis, err := a.scopesAndAPIs(ctx)
		if err != nil {
			return err
		}
		for s := range table.All() {
			a.printScope(s, apis)
			a.out.end()
		}
		return nil
	})
}

func newScopeShow() *cobra.Command {
	cmd := &cobra.Command{Use: "show SCOPE", Short: "Show a scope with its words and the profiles that it was granted to"}
	return administerScope(cmd, func(ctx context.Context, a *admin, s registry.Scope, _ *registry.Scopes, apis []registry.SecurityProfile) error {
		holders, err := a.store.Holders(ctx, mostHolders)
		if err != nil {
			return err
		}
		clients := []string{}
		for _, h := range holders {
			if h.Number == s.Number {
				clients = append(clients, a.namespace.ClientID(h.Client))
			}
		}
		a.printScope(s, apis)
		languages := []string{}
		for _, w := range s.Translations {
			languages = append(languages, w.Language+": "+w.Label+" – "+w.Detail)
		}
		a.out.print("words", "In other languages", languages)
		a.out.print("granted_to", "Granted to", clients)
		return nil
	})
}

// mostHolders bounds what one command prints.
const mostHolders = 10_000

// scopeFlags are those of a scope's form.
type scopeFlags struct {
	name, label, detail, audience     *string
	aliases, claims                   *[]string
	voluntary, restricted, unattended *bool
}

func newScopeFlags(cmd *cobra.Command) scopeFlags {
	f := cmd.Flags()
	return scopeFlags{
		name:       f.String("name", "", "`name` that applications ask by, such as reports:read"),
		label:      f.String("label", "", "`line` on the consent page, in English"),
		detail:     f.String("detail", "", "`sentence` below it that says what allowing it means, in English"),
		aliases:    f.StringArray("alias", nil, "another `name` by which it can be asked for; may be repeated"),
		claims:     f.StringArray("claim", nil, "a `fact` about the user that it releases: user_id, name, email or postal_code; may be repeated"),
		audience:   f.String("audience", "", "`identifier` of the API that it is for (default this server)"),
		voluntary:  f.Bool("voluntary", false, "users can leave it unticked, unless the application says otherwise"),
		restricted: f.Bool("restricted", false, "only profiles that it is granted to may ask for it"),
		unattended: f.Bool("without-user", false, "an application may have it for itself, by client credentials"),
	}
}

// read puts the flags that were given into the form.
func (f scopeFlags) read(cmd *cobra.Command, form *registry.ScopeForm, apis []registry.SecurityProfile) error {
	changed := cmd.Flags().Changed
	for name, text := range map[string]struct{ from, to *string }{"name": {f.name, &form.Name}, "label": {f.label, &form.Label}, "detail": {f.detail, &form.Detail}} {
		if changed(name) {
			*text.to = *text.from
		}
	}
	for name, list := range map[string]struct{ from, to *[]string }{"alias": {f.aliases, &form.Aliases}, "claim": {f.claims, &form.Claims}} {
		if changed(name) {
			*list.to = slices.DeleteFunc(slices.Clone(*list.from), func(s string) bool { return s == "" })
		}
	}
	if changed("voluntary") {
		form.Essential = !*f.voluntary
	}
	if changed("restricted") {
		form.Restricted = *f.restricted
	}
	if changed("without-user") {
		form.WithoutUser = *f.unattended
	}
	if !changed("audience") {
		return nil
	}
	if *f.audience == "" {
		form.Audience = 0
		return nil
	}
	for _, api := range apis {
		if api.Audience == *f.audience {
			form.Audience = api.ID
			return nil
		}
	}
	return usageError{fmt.Errorf("--audience %s: no profile is the API of that identifier; gatelodge profile api makes one", *f.audience)}
}

func newScopeCreate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "create --name NAME --label LINE --detail SENTENCE [--audience URI] [--restricted] [--voluntary] [--without-user] [--alias NAME]... [--claim CLAIM]...",
		Short: "Make a scope",
	}
	flags := newScopeFlags(cmd)
	return administer(cmd, existing, func(ctx context.Context, a *admin) error {
		table, apis, err := a.scopesAndAPIs(ctx)
		if err != nil {
			return err
		}
		form := registry.ScopeForm{Essential: true}
		if err := flags.read(cmd, &form, apis); err != nil {
			return err
		}
		scope, problems := registry.ParseScope(form, table)
		if err := scopeUsage(problems); err != nil {
			return err
		}
		made, err := a.store.CreateScope(ctx, scope, a.by())
		if err != nil {
			return scopeFailure(err)
		}
		a.printScope(made, apis)
		return nil
	})
}

func newScopeEdit() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "edit SCOPE [--name NAME] [--label LINE] [--detail SENTENCE] [--audience URI] [--restricted] [--voluntary] [--without-user] [--alias NAME]... [--claim CLAIM]...",
		Short: "Change a scope: what no flag says stays as it is",
		Long: `Change a scope: what no flag says stays as it is. Flags that turn something on turn
it off with =false, such as --restricted=false; --alias= and --claim= leave none.

Of the scopes that belong to the protocols, such as profile and openid, the words can
be changed, --voluntary and --restricted.`,
	}
	flags := newScopeFlags(cmd)
	return administerScope(cmd, func(ctx context.Context, a *admin, s registry.Scope, table *registry.Scopes, apis []registry.SecurityProfile) error {
		if !s.Own() {
			for _, name := range []string{"name", "alias", "claim", "audience", "without-user"} {
				if cmd.Flags().Changed(name) {
					return usageError{fmt.Errorf("--%s: the scope %s belongs to the protocols; its words can be changed, --voluntary and --restricted", name, s.Name)}
				}
			}
		}
		form := s.Form()
		if err := flags.read(cmd, &form, apis); err != nil {
			return err
		}
		return a.editScope(ctx, s, form, table, apis)
	})
}

func (a *admin) editScope(ctx context.Context, s registry.Scope, form registry.ScopeForm, table *registry.Scopes, apis []registry.SecurityProfile) error {
	edited, problems := s.Edit(form, table)
	if err := scopeUsage(problems); err != nil {
		return err
	}
	if err := a.store.UpdateScope(ctx, edited, a.by()); err != nil {
		return scopeFailure(err)
	}
	a.printScope(edited, apis)
	return nil
}

func newScopeWords() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "words SCOPE --language TAG (--label LINE --detail SENTENCE | --remove)",
		Short: "Set what users read of a scope in a language",
	}
	language := cmd.Flags().String("language", "", "`tag` of the language, such as de or pt-BR")
	label := cmd.Flags().String("label", "", "`line` on the consent page")
	detail := cmd.Flags().String("detail", "", "`sentence` below it that says what allowing it means")
	remove := cmd.Flags().Bool("remove", false, "take the words in this language away: users read the English ones")
	return administerScope(cmd, func(ctx context.Context, a *admin, s registry.Scope, table *registry.Scopes, apis []registry.SecurityProfile) error {
		form := s.Form()
		at := slices.IndexFunc(form.Translations, func(w registry.Words) bool { return strings.EqualFold(w.Language, *language) })
		switch english := strings.EqualFold(*language, registry.English); {
		case *language == "":
			return usageError{errors.New("--language is missing")}
		case *remove && english:
			return usageError{errors.New("--remove: the words in English stay, since users read them where there are no others")}
		case *remove && at < 0:
			return fmt.Errorf("the scope %s has no words in the language %s", s.Name, *language)
		case *remove:
			form.Translations = slices.Delete(form.Translations, at, at+1)
		case english:
			form.Label, form.Detail = *label, *detail
		case at >= 0:
			form.Translations[at] = registry.Words{Language: *language, Label: *label, Detail: *detail}
		default:
			form.Translations = append(form.Translations, registry.Words{Language: *language, Label: *label, Detail: *detail})
		}
		return a.editScope(ctx, s, form, table, apis)
	})
}

func newScopeRetire() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "retire SCOPE",
		Short: "End a scope for good: nobody can ask for it, and tokens lose it",
	}
	return administerScope(cmd, func(ctx context.Context, a *admin, s registry.Scope, _ *registry.Scopes, _ []registry.SecurityProfile) error {
		if !s.Own() {
			return usageError{fmt.Errorf("the scope %s belongs to the protocols and stays; gatelodge scope edit %s --restricted keeps it from profiles that it is not granted to", s.Name, s.Name)}
		}
		if err := a.store.RetireScope(ctx, s.Number, s.Version, a.by()); err != nil {
			return scopeFailure(err)
		}
		a.out.print("name", "Name", s.Name)
		a.out.print("retired", "Retired", true)
		return nil
	})
}

func newScopeGrant() *cobra.Command {
	cmd := &cobra.Command{Use: "grant --profile CLIENT_ID SCOPE...", Short: "Let a security profile ask for restricted scopes"}
	return administerGrants(cmd, func(ctx context.Context, a *admin, p registry.SecurityProfile, set oauth.ScopeSet, names string) error {
		return a.store.GrantScopes(ctx, p.ID, set, names, a.by())
	})
}

func newScopeWithdraw() *cobra.Command {
	cmd := &cobra.Command{Use: "withdraw --profile CLIENT_ID SCOPE...", Short: "Take back scopes that were granted to a security profile: its tokens lose them"}
	return administerGrants(cmd, func(ctx context.Context, a *admin, p registry.SecurityProfile, set oauth.ScopeSet, names string) error {
		return a.store.WithdrawScopes(ctx, p.ID, set, names, a.by())
	})
}

// administerGrants is administer for a command on scopes of a profile.
func administerGrants(cmd *cobra.Command, do func(ctx context.Context, a *admin, p registry.SecurityProfile, set oauth.ScopeSet, names string) error) *cobra.Command {
	profile := cmd.Flags().String("profile", "", "client `ID` of the security profile")
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usageError{errors.New("a SCOPE is missing: gatelodge scope list shows them")}
		}
		return nil
	}
	return administer(cmd, existing, func(ctx context.Context, a *admin) error {
		table, err := a.scopes(ctx)
		if err != nil {
			return err
		}
		set, unknown := table.Parse(strings.Fields(strings.Join(cmd.Flags().Args(), " ")))
		if len(unknown) > 0 {
			return usageError{noScope(unknown...)}
		}
		if *profile == "" {
			return usageError{errors.New("--profile is missing")}
		}
		p, err := a.profileOf(ctx, *profile)
		if err != nil {
			return err
		}
		if err := do(ctx, a, p, set, strings.Join(table.Names(set), " ")); err != nil {
			return err
		}
		if p, err = a.profileOf(ctx, *profile); err != nil {
			return err
		}
		a.out.print("client_id", "Client ID", *profile)
		a.out.print("granted", "Granted", append([]string{}, table.Names(p.Granted)...))
		a.out.print("scopes", "May ask for", mayAsk(p, table))
		return nil
	})
}

func noScope(names ...string) error {
	return fmt.Errorf("there is no scope %s", strings.Join(names, ", "))
}

// mayAsk names the scopes that a profile may ask for.
func mayAsk(p registry.SecurityProfile, table *registry.Scopes) []string {
	names := []string{}
	for s := range table.All() {
		if p.MayAsk(s) {
			names = append(names, s.Name)
		}
	}
	return names
}

// administerScope is administer for a command whose argument is a scope.
func administerScope(cmd *cobra.Command, do func(ctx context.Context, a *admin, s registry.Scope, table *registry.Scopes, apis []registry.SecurityProfile) error) *cobra.Command {
	cmd.Args = func(_ *cobra.Command, args []string) error {
		switch len(args) {
		case 0:
			return usageError{errors.New("a SCOPE is missing: gatelodge scope list shows them")}
		case 1:
			return nil
		}
		return usageError{errors.New("one SCOPE at a time")}
	}
	return administer(cmd, existing, func(ctx context.Context, a *admin) error {
		table, apis, err := a.scopesAndAPIs(ctx)
		if err != nil {
			return err
		}
		name := cmd.Flags().Arg(0)
		s, ok := table.Lookup(name)
		if !ok {
			return noScope(name)
		}
		return do(ctx, a, s, table, apis)
	})
}

// scopesAndAPIs reads the table of scopes and what they can be for.
func (a *admin) scopesAndAPIs(ctx context.Context) (*registry.Scopes, []registry.SecurityProfile, error) {
	table, err := a.scopes(ctx)
	if err != nil {
		return nil, nil, err
	}
	apis, err := a.store.APIs(ctx)
	return table, apis, err
}

func (a *admin) printScope(s registry.Scope, apis []registry.SecurityProfile) {
	audience := ""
	for _, api := range apis {
		if api.ID == s.Audience {
			audience = api.Audience
		}
	}
	f := s.Form()
	a.out.print("name", "Name", s.Name)
	a.out.print("aliases", "Other names", append([]string{}, f.Aliases...))
	a.out.print("label", "Consent page", s.Label)
	a.out.print("detail", "Below it", s.Detail)
	a.out.print("essential", "Essential", s.Essential)
	a.out.print("restricted", "Restricted", s.Restricted)
	a.out.print("without_user", "Without a user", s.WithoutUser)
	a.out.print("claims", "Claims", append([]string{}, f.Claims...))
	a.out.print("audience", "For the API", audience)
}

// scopeFields are the flags of fields that are called otherwise.
var scopeFields = map[string]string{
	registry.FieldScopeName: "name", registry.FieldAliases: "alias", registry.FieldClaims: "claim",
	registry.FieldWordsLanguage: "language", registry.FieldWordsLabel: "label", registry.FieldWordsDetail: "detail",
}

// scopeUsage names the flags whose values are refused.
func scopeUsage(problems registry.FieldErrors) error {
	for i, f := range problems {
		stem, _, _ := strings.Cut(f.Field, ".")
		if flag, ok := scopeFields[stem]; ok {
			problems[i].Field = flag
		}
	}
	return asUsage(inFlags(problems, "", "", nil))
}

// scopeFailure says why a scope could not be saved.
func scopeFailure(err error) error {
	switch {
	case errors.Is(err, store.ErrTooMany):
		return fmt.Errorf("no number is left: there are %d for scopes of your own, and those of retired ones are in use in tokens", registry.MaxScopes-registry.FirstOwnNumber)
	case errors.Is(err, store.ErrNameTaken):
		return errors.New("another scope was given one of the names meanwhile")
	case errors.Is(err, store.ErrStale), errors.Is(err, store.ErrNotFound):
		return errors.New("the scope or its API was changed by somebody else meanwhile; nothing was saved")
	}
	return err
}
