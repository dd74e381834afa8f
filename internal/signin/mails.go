package signin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/mail"
	"gatelodge/internal/session"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

// postConfirmation sends the link that shows that an address is the account's own.
func (s *Surface) postConfirmation(l emailLink, now time.Time) error {
	link, err := s.confirmationLink(l, now)
	if err != nil {
		return err
	}
	return s.post("confirmation", func(ctx context.Context) error {
		return s.Mail.Send(ctx, mail.ConfirmEmail(l.To, link, s.ProductName, account.ConfirmationLifetime))
	})
}

// postAddressTaken tells the owner of an account that somebody wanted to use their
// address for another. It is sent to the address as the owner wrote it, and counts
// as a recovery mail, so that a stranger cannot fill the mailbox.
func (s *Surface) postAddressTaken(email string, now time.Time) error {
	return s.post("address taken", func(ctx context.Context) error {
		key := account.EmailKey(email)
		ok, err := s.mayMail(ctx, key, now)
		if err != nil || !ok {
			return err
		}
		a, _, err := s.Store.AccountByEmail(ctx, key)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return s.Mail.Send(ctx, mail.Message{
			To:      a.Email,
			Subject: "You have an account at " + s.ProductName + " already",
			Text: fmt.Sprintf(`Hello,

someone, most likely you, has just entered this address for an account at
%s. There is one with it already, so nothing was changed. Sign in here:

%s

If you do not know the password any more, ask for a new one:

%s

If it was not you, there is nothing to do.
`, s.ProductName, s.Issuer+session.SignInPath, s.Issuer+recoverPath),
		})
	})
}

// tellHome answers who has forgotten a password that is kept in another region.
func (s *Surface) tellHome(ctx context.Context, a account.Account) error {
	home, _, err := s.Store.HomeOf(ctx, a.ID)
	if err != nil {
		return err
	}
	return s.Mail.Send(ctx, mail.Message{
		To:      a.Email,
		Subject: "Your account at " + s.ProductName + " lives in another region",
		Text: fmt.Sprintf(`Hello,

someone, most likely you, asked for a new password for your account at
%s. It has none here: you sign in with your account at

%s

There you can also ask for a new password.

If it was not you, there is nothing to do.
`, s.Issuer, home.Issuer),
	})
}

// tellPasswordChanged tells an account's owner of its new password. The password is
// changed by then, whether or not the mail can be sent.
func (s *Surface) tellPasswordChanged(ctx context.Context, email string) {
	if !s.mails() {
		return
	}
	err := s.post("password changed", func(ctx context.Context) error {
		return s.Mail.Send(ctx, mail.PasswordChanged(email, s.Issuer+recoverPath, s.ProductName))
	})
	if err != nil {
		web.LogAttr(ctx, slog.String("mail_dropped", "password changed"))
	}
}

// mayMail takes one mail that a stranger can cause from what an address gets within
// a while.
func (s *Surface) mayMail(ctx context.Context, emailKey string, now time.Time) (bool, error) {
	wait, err := s.Store.Take(ctx, account.ThrottleKey(account.RecoveryByAccount, emailKey), account.RecoveryByAccount.Rate(), now)
	return err == nil && wait == 0, err
}
