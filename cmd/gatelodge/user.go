package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"gatelodge/internal/account"
	"gatelodge/internal/signin"
	"gatelodge/internal/store"
)

func newUser() *cobra.Command {
	return group("user", "Administer accounts", newUserCreate(), newUserList(), newUserDisable(), newUserRecover(), newUserOperator())
}

func newUserCreate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "create --email EMAIL --name NAME [--password-stdin] [--developer] [--operator]",
		Short: "Make an account",
		Long: `Make an account, with a confirmed e-mail address.

Asks for the password, or reads it from standard input.`,
	}
	email := cmd.Flags().String("email", "", "e-mail `address`")
	name := cmd.Flags().String("name", "", "`name` of the person")
	fromStdin := cmd.Flags().Bool("password-stdin", false, "read the password from standard input")
	developer := cmd.Flags().Bool("developer", false, "make a developer account too")
	operator := cmd.Flags().Bool("operator", false, "let them administer scopes in the console")
	company := cmd.Flags().String("company", "", "`company` of the developer account (default the person's name)")
	country := cmd.Flags().String("country", "US", "`country` of the developer account, two letters")
	return administer(cmd, made, func(ctx context.Context, a *admin) error {
		n := store.NewAccount{Confirmed: time.Now()}
		var err error
		if n.Email, err = account.ParseEmail(*email); err != nil {
			return refused(err)
		}
		if n.Name, err = account.ParseName(*name); err != nil {
			return refused(err)
		}
		n.EmailKey = account.EmailKey(n.Email)
		if *developer {
			d := store.NewDeveloper{Company: n.Name}
			if *company != "" {
				if d.Company, err = account.ParseCompany(*company); err != nil {
					return refused(err)
				}
			}
			if d.Country, err = account.ParseCountry(*country); err != nil {
				return usageError{fmt.Errorf("--country %q: write the two letters of a country, such as US", *country)}
			}
			n.Developer = &d
		}
		password, err := readPassword(*fromStdin)
		if err != nil {
			return err
		}
		if password, err = account.ParsePassword(password, account.Account{Email: n.Email, Name: n.Name}); err != nil {
			return usageError{err}
		}
		if n.PasswordHash, err = account.NewHasher(account.HasherOptions{}).Hash(ctx, password); err != nil {
			return err
		}
		if *operator {
			n.Operator = time.Now()
		}
		made, err := a.store.CreateAccount(ctx, n, a.by())
		if errors.Is(err, store.ErrEmailTaken) {
			return fmt.Errorf("the address %q has an account already", n.Email)
		}
		if err != nil {
			return err
		}
		a.out.print("email", "Email", made.Email)
		a.out.print("name", "Name", made.Name)
		a.out.print("developer", "Developer account", *developer)
		a.out.print("operator", "Operator", *operator)
		return nil
	})
}

// refused names the flag whose value is refused.
func refused(err error) error {
	f, ok := errors.AsType[*account.FieldError](err)
	switch {
	case !ok:
		return err
	case f.Suggestion != "":
		return usageError{fmt.Errorf("--%w Try: %s", err, f.Suggestion)}
	}
	return usageError{fmt.Errorf("--%w", err)}
}

func readPassword(fromStdin bool) (string, error) {
	if fromStdin {
		line, err := bufio.NewReader(os.Stdin).ReadString('\n')
		if err != nil && line == "" {
			return "", usageError{errors.New("no password came on standard input")}
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return "", usageError{errors.New("without a terminal, give the password with --password-stdin")}
	}
	fmt.Fprint(os.Stderr, "Password: ")
	b, err := term.ReadPassword(int(os.Stdin.Fd()))
	fmt.Fprintln(os.Stderr)
	return string(b), err
}

func newUserList() *cobra.Command {
	return administer(&cobra.Command{Use: "list", Short: "List accounts, the oldest first"}, existing, func(ctx context.Context, a *admin) error {
		for after := int64(0); ; {
			page, err := a.store.AccountPage(ctx, after, 500)
			if err != nil || len(page) == 0 {
				return err
			}
			for _, u := range page {
				a.out.print("email", "Email", u.Email)
				a.out.print("name", "Name", u.Name)
				a.out.print("created_at", "Created", stamp(u.CreatedAt))
				a.out.print("email_confirmed", "Email confirmed", !u.EmailConfirmedAt.IsZero())
				a.out.print("disabled", "Disabled", !u.DisabledAt.IsZero())
				a.out.print("operator", "Operator", !u.OperatorSince.IsZero())
				a.out.end()
				after = u.ID
			}
		}
	})
}

func newUserDisable() *cobra.Command {
	cmd := &cobra.Command{Use: "disable --email EMAIL [--enable]", Short: "Disable an account: nobody can be signed in with it, its tokens are refused"}
	email := cmd.Flags().String("email", "", "e-mail `address`")
	enable := cmd.Flags().Bool("enable", false, "enable it again")
	return administer(cmd, existing, func(ctx context.Context, a *admin) error {
		u, err := a.accountOf(ctx, "email", *email)
		if err != nil {
			return err
		}
		by := a.by()
		at := by.At
		if *enable {
			at = time.Time{}
		}
		if err := a.store.SetAccountDisabled(ctx, u.ID, at, by); err != nil {
			return err
		}
		a.out.print("email", "Email", u.Email)
		a.out.print("disabled", "Disabled", !*enable)
		return nil
	})
}

func newUserOperator() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "operator --email EMAIL [--remove]",
		Short: "Let a person do the operator's work in the console: administer scopes",
	}
	email := cmd.Flags().String("email", "", "e-mail `address`")
	remove := cmd.Flags().Bool("remove", false, "end that again")
	return administer(cmd, existing, func(ctx context.Context, a *admin) error {
		u, err := a.accountOf(ctx, "email", *email)
		if err != nil {
			return err
		}
		by := a.by()
		since := by.At
		if *remove {
			since = time.Time{}
		}
		if err := a.store.SetOperator(ctx, u.ID, since, by); err != nil {
			return err
		}
		a.out.print("email", "Email", u.Email)
		a.out.print("operator", "Operator", !*remove)
		return nil
	})
}

func newUserRecover() *cobra.Command {
	cmd := &cobra.Command{Use: "recover --email EMAIL", Short: "Print a link with which the person chooses a new password"}
	email := cmd.Flags().String("email", "", "e-mail `address`")
	return administer(cmd, existing, func(ctx context.Context, a *admin) error {
		u, err := a.accountOf(ctx, "email", *email)
		if err != nil {
			return err
		}
		now := time.Now()
		value, recovery := account.NewRecovery(u.ID, now)
		if err := a.store.CreateRecovery(ctx, recovery, "", now); err != nil {
			return err
		}
		a.out.print("email", "Email", u.Email)
		a.out.print("link", "Link", signin.RecoveryLink(a.issuer, value))
		a.out.print("expires_at", "Works once until", stamp(recovery.ExpiresAt))
		return nil
	})
}
