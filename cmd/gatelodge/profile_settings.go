package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"gatelodge/internal/registry"
	"gatelodge/internal/signing"
	"gatelodge/internal/store"
)

// profileFlags are a profile's addresses and settings on the command line.
type profileFlags struct {
	set *pflag.FlagSet

	kind, auth, idTokenAlg, tokenFormat, jwksFile string
	jwksURI, backChannelLogoutURI                 string
	implicit, requireDPoP, requirePAR             bool
	returnURLs, origins, postLogoutURLs           []string
}

// Flags that are not named as the field that they fill in.
const (
	flagReturnURL     = "return-url"
	flagOrigin        = "origin"
	flagPostLogoutURL = "post-logout-url"
	flagJWKSFile      = "jwks-file"
)

func newProfileFlags(cmd *cobra.Command) *profileFlags {
	set := cmd.Flags()
	f := &profileFlags{set: set}
	set.StringVar(&f.kind, flagOf(registry.FieldKind), registry.Web.Name(), "`kind` of application: "+orList(names(registry.Kinds())))
	set.StringArrayVar(&f.returnURLs, flagReturnURL, nil, "an Allowed Return `URL`; may be repeated")
	set.StringArrayVar(&f.origins, flagOrigin, nil, "an Allowed `origin`, for pages that call from the browser; may be repeated")
	set.StringVar(&f.auth, flagOf(registry.FieldAuth), registry.AuthSecret.Name(), "`how` the application proves itself: secret, or key for assertions that it signs")
	set.StringVar(&f.jwksFile, flagJWKSFile, "", "`file` with the application's public keys, a JSON Web Key Set")
	set.StringVar(&f.jwksURI, flagOf(registry.FieldJWKSURI), "", "`URL` where the application publishes that set instead")
	set.StringVar(&f.idTokenAlg, flagOf(registry.FieldIDTokenAlg), registry.DefaultIDTokenAlg, "`algorithm` that ID tokens are signed with: "+orList(registry.IDTokenAlgs()))
	set.StringVar(&f.tokenFormat, flagOf(registry.FieldTokenFormat), registry.Opaque.Name(), "`format` of access tokens for the profile, where it is an API: "+orList(names(registry.TokenFormats())))
	set.BoolVar(&f.implicit, flagOf(registry.FieldImplicit), false, "allow the implicit grant, which is deprecated")
	set.BoolVar(&f.requireDPoP, flagOf(registry.FieldRequireDPoP), false, "refuse token requests without a proof of possession")
	set.BoolVar(&f.requirePAR, flagOf(registry.FieldRequirePAR), false, "refuse authorization requests that were not pushed")
	set.StringVar(&f.backChannelLogoutURI, flagOf(registry.FieldBackChannelLogoutURI), "", "`URL` that is told when a user signs out")
	set.StringArrayVar(&f.postLogoutURLs, flagPostLogoutURL, nil, "a `URL` that users may be sent to once they have signed out; may be repeated")
	return f
}

// flagOf is how the flag for a field of a form is called.
func flagOf(field string) string { return strings.ReplaceAll(field, "_", "-") }

// profileInput is what the flags make of a profile.
type profileInput struct {
	settings   registry.Settings
	returnURLs []registry.ReturnURL
	origins    []registry.AllowedOrigin
	postLogout []registry.ReturnURL
}

// read lays the flags that were given over a profile. The problems are all that is
// wrong with them.
func (f *profileFlags) read(p registry.SecurityProfile) (in profileInput, problems []error) {
	for _, choice := range []struct {
		flag, value string
		allowed     []string
	}{
		{flagOf(registry.FieldKind), f.kind, names(registry.Kinds())},
		{flagOf(registry.FieldAuth), f.auth, names(registry.AuthMethods())},
		{flagOf(registry.FieldIDTokenAlg), f.idTokenAlg, registry.IDTokenAlgs()},
		{flagOf(registry.FieldTokenFormat), f.tokenFormat, names(registry.TokenFormats())},
	} {
		if !slices.Contains(choice.allowed, choice.value) {
			problems = append(problems, fmt.Errorf("--%s %s: write %s", choice.flag, choice.value, orList(choice.allowed)))
		}
	}
	if problems != nil {
		return in, problems
	}

	form := registry.FormOfSettings(p.Settings, p.PostLogoutURLs)
	override(f.set, flagOf(registry.FieldKind), &form.Kind, f.kind)
	override(f.set, flagOf(registry.FieldAuth), &form.Auth, f.auth)
	override(f.set, flagOf(registry.FieldIDTokenAlg), &form.IDTokenAlg, f.idTokenAlg)
	override(f.set, flagOf(registry.FieldTokenFormat), &form.TokenFormat, f.tokenFormat)
	override(f.set, flagOf(registry.FieldImplicit), &form.Implicit, f.implicit)
	override(f.set, flagOf(registry.FieldRequireDPoP), &form.RequireDPoP, f.requireDPoP)
	override(f.set, flagOf(registry.FieldRequirePAR), &form.RequirePAR, f.requirePAR)
	override(f.set, flagOf(registry.FieldBackChannelLogoutURI), &form.BackChannelLogoutURI, f.backChannelLogoutURI)
	if f.set.Changed(flagJWKSFile) || f.set.Changed(flagOf(registry.FieldJWKSURI)) {
		// One takes the place of the other.
		form.JWKS, form.JWKSURI = "", f.jwksURI
		if f.jwksFile != "" {
			text, err := os.ReadFile(f.jwksFile)
			if err != nil {
				return in, []error{fmt.Errorf("--%s: %w", flagJWKSFile, err)}
			}
			form.JWKS = string(text)
		}
	}
	override(f.set, flagPostLogoutURL, &form.PostLogoutURLs, withNotes(f.postLogoutURLs, p.PostLogoutURLs))
	urls, origins := p.ReturnURLs, p.Origins
	override(f.set, flagReturnURL, &urls, withNotes(f.returnURLs, p.ReturnURLs))
	override(f.set, flagOrigin, &origins, withNotes(f.origins, p.Origins))

	kind, _ := registry.ParseKind(form.Kind)
	var urlProblems, originProblems, settingsProblems registry.FieldErrors
	in.returnURLs, urlProblems = registry.ParseReturnURLs(kind, urls)
	in.origins, originProblems = registry.ParseAllowedOrigins(origins)
	in.settings, in.postLogout, settingsProblems = registry.ParseSettings(form, in.returnURLs, keyProblem)
	problems = append(problems, f.unused(kind)...)
	problems = append(problems, inFlags(urlProblems, registry.FieldReturnURLs, flagReturnURL, values(urls))...)
	problems = append(problems, inFlags(originProblems, registry.FieldOrigins, flagOrigin, values(origins))...)
	problems = append(problems, inFlags(settingsProblems, registry.FieldPostLogoutURLs, flagPostLogoutURL, values(form.PostLogoutURLs))...)
	return in, problems
}

// unused refuses flags that mean nothing for a kind: the form leaves them out without
// a word, because it shows which they are.
func (f *profileFlags) unused(kind registry.Kind) (problems []error) {
	for _, field := range []string{
		registry.FieldAuth, registry.FieldJWKS, registry.FieldJWKSURI, registry.FieldIDTokenAlg, registry.FieldImplicit, registry.FieldRequirePAR,
		registry.FieldBackChannelLogoutURI, registry.FieldPostLogoutURLs,
	} {
		if flag := flagName(field); f.set.Changed(flag) && !kind.Uses(field) {
			problems = append(problems, fmt.Errorf("--%s: leave it out: the kind %s has no use for it", flag, kind.Name()))
		}
	}
	return problems
}

// flagName is the flag for a field, whatever it is called.
func flagName(field string) string {
	switch field {
	case registry.FieldJWKS:
		return flagJWKSFile
	case registry.FieldReturnURLs:
		return flagReturnURL
	case registry.FieldOrigins:
		return flagOrigin
	case registry.FieldPostLogoutURLs:
		return flagPostLogoutURL
	}
	return flagOf(field)
}

// override puts the value of a flag in the place of what is saved, if it was given.
func override[T any](set *pflag.FlagSet, flag string, saved *T, given T) {
	if set.Changed(flag) {
		*saved = given
	}
}

// address is either kind of address with a note.
type address interface {
	registry.ReturnURL | registry.AllowedOrigin
}

// withNotes keeps the developer's notes at the addresses that stay.
func withNotes[T address](given []string, saved []T) []T {
	all := make([]T, len(given))
	for i, value := range given {
		entry := registry.ReturnURL{Value: value}
		for _, s := range saved {
			if old := registry.ReturnURL(s); old.Value == value {
				entry = old
			}
		}
		all[i] = T(entry)
	}
	return all
}

func values[T address](entries []T) []string {
	all := []string{}
	for _, e := range entries {
		all = append(all, registry.ReturnURL(e).Value)
	}
	return all
}

// inFlags names the flags whose values are refused; rows are the values of the list.
func inFlags(problems registry.FieldErrors, list, listFlag string, rows []string) (all []error) {
	for _, f := range problems {
		flag := "--" + flagName(f.Field)
		for i, value := range rows {
			if f.Field == fmt.Sprintf("%s.%d", list, i) {
				flag = fmt.Sprintf("--%s %q", listFlag, value)
			}
		}
		message := flag + ": " + f.Message
		if f.Suggestion != "" {
			message += " Try: " + f.Suggestion
		}
		all = append(all, errors.New(message))
	}
	return all
}

// asUsage is one error for all that is wrong with a call, nil when nothing is.
func asUsage(problems []error) error {
	if len(problems) == 0 {
		return nil
	}
	return usageError{errors.Join(problems...)}
}

// keyProblem judges the keys of a file.
func keyProblem(jwks string) string {
	_, err := signing.DescribeJWKS([]byte(jwks))
	if refused, ok := errors.AsType[*signing.KeySetError](err); ok {
		return refused.Message
	}
	return ""
}

func names[T interface{ Name() string }](all []T) []string {
	var list []string
	for _, v := range all {
		list = append(list, v.Name())
	}
	return list
}

// orList is "a, b or c".
func orList(all []string) string {
	last := len(all) - 1
	if last < 1 {
		return strings.Join(all, "")
	}
	return strings.Join(all[:last], ", ") + " or " + all[last]
}

func newProfileSettings() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "settings CLIENT_ID [--kind KIND] [--return-url URL]... [--auth secret|key] ...",
		Short: "Change settings and addresses of a security profile",
		Long: `Change settings and addresses of a security profile. What no flag names stays as
it is. A list is replaced as a whole: repeat the flag for each address, or give it
once as "" to empty the list.`,
	}
	flags := newProfileFlags(cmd)
	return administerOne(cmd, func(ctx context.Context, a *admin, p registry.SecurityProfile) error {
		in, problems := flags.read(p)
		if err := asUsage(problems); err != nil {
			return err
		}
		if err := a.saveProfile(ctx, p, in); err != nil {
			if errors.Is(err, store.ErrStale) {
				return errors.New("somebody else saved this profile at the same moment: look at what it says now, and try again")
			}
			return err
		}
		p.Settings, p.PostLogoutURLs, p.ReturnURLs, p.Origins = in.settings, in.postLogout, in.returnURLs, in.origins
		a.printProfile(p)
		a.printSettings(p)
		return nil
	})
}

// saveProfile saves what differs. Settings and addresses are two saves, as they are in
// the console; a scheme of the app's own is never there without the kind that allows it.
func (a *admin) saveProfile(ctx context.Context, p registry.SecurityProfile, in profileInput) error {
	settings := func() error {
		if in.settings == p.Settings && slices.Equal(in.postLogout, p.PostLogoutURLs) {
			return nil
		}
		err := a.store.SaveSettings(ctx, p.DeveloperID, p.ID, p.Version, in.settings, in.postLogout, a.by())
		p.Version++
		return err
	}
	addresses := func() error {
		if slices.Equal(in.returnURLs, p.ReturnURLs) && slices.Equal(in.origins, p.Origins) {
			return nil
		}
		err := a.store.SaveWebSettings(ctx, p.DeveloperID, p.ID, p.Version, in.origins, in.returnURLs, a.by())
		p.Version++
		return err
	}
	steps := []func() error{addresses, settings}
	if in.settings.Kind == registry.Native {
		slices.Reverse(steps)
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// printSettings prints everything that can be set of a profile.
func (a *admin) printSettings(p registry.SecurityProfile) {
	n := p.Settings
	a.out.print(registry.FieldKind, "Kind", n.Kind.Name())
	auth := n.Auth.Name()
	if n.Kind.Public() {
		auth = "none"
	}
	a.out.print(registry.FieldAuth, "Authentication", auth)
	keys := []string{}
	if facts, err := signing.DescribeJWKS([]byte(n.JWKS)); err == nil {
		for _, k := range facts {
			keys = append(keys, strings.TrimSpace(k.Type+" "+strings.Join(k.Algorithms, " ")+" "+k.ID))
		}
	}
	a.out.print("keys", "Keys", keys)
	a.out.print(registry.FieldJWKSURI, "Address of the keys", n.JWKSURI)
	a.out.print(registry.FieldIDTokenAlg, "ID token signature", n.IDTokenAlg)
	a.out.print("audience", "Audience, as an API", p.Audience)
	a.out.print(registry.FieldTokenFormat, "Access token format", n.TokenFormat.Name())
	a.out.print(registry.FieldImplicit, "Implicit grant", n.Implicit)
	a.out.print(registry.FieldRequireDPoP, "Requires DPoP", n.RequireDPoP)
	a.out.print(registry.FieldRequirePAR, "Requires PAR", n.RequirePAR)
	a.out.print(registry.FieldBackChannelLogoutURI, "Back-channel logout", n.BackChannelLogoutURI)
	a.out.print(registry.FieldPostLogoutURLs, "Post-logout URLs", values(p.PostLogoutURLs))
	a.out.print(registry.FieldReturnURLs, "Allowed Return URLs", values(p.ReturnURLs))
	a.out.print(registry.FieldOrigins, "Allowed Origins", values(p.Origins))
}
