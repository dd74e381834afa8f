package mail

import (
	"fmt"
	"time"
)

// Recovery brings the link with which the owner of an account chooses a new password.
// Product is the name under which people know this server, valid how long the link
// can be used.
func Recovery(to, link, product string, valid time.Duration) Message {
	return Message{
		To:      to,
		Subject: "Choose a new password for " + product,
		Text: fmt.Sprintf(`Hello,

someone, most likely you, asked for a new password for your account at
%s. To choose one, open this link:

%s

It works once, within %s. Your present password stays as it is until
you have chosen another.

If it was not you, there is nothing to do: without this link nobody can
change your password. Please do not pass the link on.
`, product, link, inWords(valid)),
	}
}

// ConfirmEmail brings the link that shows that a mailbox is its account's own.
func ConfirmEmail(to, link, product string, valid time.Duration) Message {
	return Message{
		To:      to,
		Subject: "Confirm your e-mail address for " + product,
		Text: fmt.Sprintf(`Hello,

this address was given for an account at %s. To confirm that it is
yours, open this link within %s:

%s

Until then the address is not passed on to any application.

If you have no such account, there is nothing to do: the address will not
be used without your confirmation.
`, product, inWords(valid), link),
	}
}

// PasswordChanged tells the owner of an account that its password is another now. The
// link leads to the page where a new one can be asked for; it is no secret.
func PasswordChanged(to, link, product string) Message {
	return Message{
		To:      to,
		Subject: "Your password for " + product + " was changed",
		Text: fmt.Sprintf(`Hello,

the password of your account at %s has just been changed, and all
other browsers were signed out.

If it was you, there is nothing to do. If it was not, ask for a new
password at once, here:

%s
`, product, link),
	}
}

func inWords(d time.Duration) string {
	if d < 2*time.Hour {
		return fmt.Sprintf("%d minutes", d/time.Minute)
	}
	return fmt.Sprintf("%d hours", d/time.Hour)
}
