package main

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"gatelodge/internal/sqldb"
	"gatelodge/slate"
	"gatelodge/slate/store"
)

func newAccount() *cobra.Command {
	return group("account", "Administer the accounts of partner companies",
		newAccountCreate(), newAccountList(), newAccountStatements(), newAccountMember())
}

// made opens a database, a new one too: the first account may be there before the
// server has run.
func made(ctx context.Context, c sqldb.Config) (*sqldb.DB, *store.Store, error) {
	return slate.OpenStore(ctx, c)
}

func newAccountCreate() *cobra.Command {
	cmd := &cobra.Command{Use: "create --name NAME [--manager EMAIL|USER-CODE]", Short: "Make an account"}
	name := cmd.Flags().String("name", "", "`name` of the partner company")
	manager := cmd.Flags().String("manager", "", "e-mail address or user `code` of who manages it and sees its reports; an address that has not signed in yet is invited")
	// The data folder has to be there before the database is.
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		s, err := load(cmd.Flags())
		if err != nil {
			return err
		}
		if err := checkName(*name); err != nil || s["database"] != "" {
			return err
		}
		return os.MkdirAll(s["data"], 0o700)
	}
	return administer(cmd, made, func(ctx context.Context, a *admin) error {
		var who person
		if *manager != "" {
			var err error
			if who, err = a.person(ctx, *manager); err != nil {
				return err
			}
		}
		account, err := a.store.CreateAccount(ctx, strings.TrimSpace(*name), a.by())
		if err != nil {
			return err
		}
		if *manager == "" {
			a.printAccount(account)
			return nil
		}
		a.out.print("name", "Name", account.Name)
		return a.letIn(ctx, account, who, store.Rights{Manage: true, Reports: true})
	})
}

func checkName(name string) error {
	name = strings.TrimSpace(name)
	if name == "" || len(name) > 200 || strings.ContainsFunc(name, unicode.IsControl) {
		return wrongUse("--name: write the name of the partner company, up to 200 bytes")
	}
	return nil
}

func (a *admin) printAccount(account store.Account) {
	a.out.print("id", "Account", account.ID)
	a.out.print("name", "Name", account.Name)
	a.out.print("statements", "Financial statements", account.StatementID)
}

func newAccountList() *cobra.Command {
	return administer(&cobra.Command{Use: "list", Short: "List the accounts"}, existing, func(ctx context.Context, a *admin) error {
		all, err := a.store.Accounts(ctx)
		if err != nil {
			return err
		}
		for _, account := range all {
			a.printAccount(account)
			a.out.end()
		}
		return nil
	})
}

func newAccountStatements() *cobra.Command {
	cmd := &cobra.Command{Use: "statements --account NUMBER --id ID", Short: "Link an account with its financial statements"}
	number := cmd.Flags().String("account", "", "`number` of the account")
	id := cmd.Flags().String("id", "", "`id` under which the statements are kept; empty for none")
	return administer(cmd, existing, func(ctx context.Context, a *admin) error {
		switch {
		case !cmd.Flags().Changed("id"):
			return wrongUse("--id is missing")
		case *id != "" && !store.CleanFolder(*id):
			return wrongUse("--id %q: write it without slashes, spaces around it, or a point before it", *id)
		}
		account, err := a.account(ctx, *number)
		if err != nil {
			return err
		}
		err = a.store.SetStatementID(ctx, account.ID, *id, a.by())
		if errors.Is(err, store.ErrTaken) {
			return fmt.Errorf("%s belongs to another account", *id)
		}
		if err != nil {
			return err
		}
		account.StatementID = *id
		a.printAccount(account)
		return nil
	})
}

func newAccountMember() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "member --account NUMBER --user-code CODE|--email EMAIL [--manage] [--reports] [--remove]",
		Short: "Say what somebody may do in an account",
		Long: `Say what somebody may do in an account: exactly what is given here, so that leaving
--reports out takes that permission back. Somebody who has not signed in to Slate yet is
invited by the e-mail address. A change is in effect at the next call.`,
	}
	number := cmd.Flags().String("account", "", "`number` of the account")
	code := cmd.Flags().String("user-code", "", "user `code`, as My user settings shows it")
	email := cmd.Flags().String("email", "", "e-mail `address`")
	manage := cmd.Flags().Bool("manage", false, "permission Manage: users and applications of the account")
	reports := cmd.Flags().Bool("reports", false, "permission Reports: View Only")
	remove := cmd.Flags().Bool("remove", false, "take them out of the account")
	return administer(cmd, existing, func(ctx context.Context, a *admin) error {
		switch {
		case (*code == "") == (*email == ""):
			return wrongUse("give one of --user-code and --email")
		case *email != "" && !strings.Contains(*email, "@"):
			return wrongUse("--email %q is no e-mail address", *email)
		case *remove && (*manage || *reports):
			return wrongUse("--remove goes without --manage and --reports")
		}
		account, err := a.account(ctx, *number)
		if err != nil {
			return err
		}
		who, err := a.person(ctx, *code+*email)
		if err != nil {
			return err
		}
		if *remove {
			return a.putOut(ctx, account, who)
		}
		return a.letIn(ctx, account, who, store.Rights{Manage: *manage, Reports: *reports})
	})
}

// person is somebody who has signed in, or an address to invite.
type person struct {
	store.Person
	invite string
}

// person finds somebody by their user code or their address.
func (a *admin) person(ctx context.Context, codeOrEmail string) (person, error) {
	if !strings.Contains(codeOrEmail, "@") {
		found, err := a.store.PersonByCode(ctx, codeOrEmail)
		if errors.Is(err, store.ErrNotFound) {
			return person{}, fmt.Errorf("nobody has the user code %q", codeOrEmail)
		}
		return person{Person: found}, err
	}
	address, err := mail.ParseAddress(codeOrEmail)
	if err != nil || address.Address != codeOrEmail {
		return person{}, wrongUse("%q is no e-mail address", codeOrEmail)
	}
	found, err := a.store.PersonByEmail(ctx, codeOrEmail)
	if errors.Is(err, store.ErrNotFound) {
		return person{invite: codeOrEmail}, nil
	}
	return person{Person: found}, err
}

// invitationLives is how long an invitation waits for its address to sign in.
const invitationLives = 30 * 24 * time.Hour

func (a *admin) letIn(ctx context.Context, account store.Account, who person, r store.Rights) error {
	by := a.by()
	key, label, value := "member", "Member", who.Name
	var err error
	if who.invite != "" {
		key, label, value = "invited", "Invited", who.invite
		err = a.store.Invite(ctx, account.ID, who.invite, r, by.At.Add(invitationLives), by)
	} else {
		err = lastManager(a.store.AddMember(ctx, account.ID, who.ID, r, by))
	}
	if err != nil {
		return err
	}
	a.out.print("id", "Account", account.ID)
	a.out.print(key, label, value)
	a.out.print("manage", "Manage", r.Manage)
	a.out.print("reports", "Reports", r.Reports)
	return nil
}

func (a *admin) putOut(ctx context.Context, account store.Account, who person) error {
	err := store.ErrNotFound
	if who.invite == "" {
		err = a.store.RemoveMember(ctx, account.ID, who.ID, a.by())
	}
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("they are no member of account %d", account.ID)
	}
	if err != nil {
		return lastManager(err)
	}
	a.out.print("id", "Account", account.ID)
	a.out.print("removed", "Removed", who.Name)
	return nil
}

func lastManager(err error) error {
	if errors.Is(err, store.ErrLastManager) {
		return errors.New("an account keeps somebody who may manage it: give somebody else --manage first")
	}
	return err
}
