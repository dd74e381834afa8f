package signin

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/seal"
	"gatelodge/internal/session"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

// emailLink is what a link in a mail says: that who opens it reads the mails to To.
// It counts only for who is signed in to the account, so that an account which a
// stranger made with somebody else's address is not confirmed by a curious click of
// that somebody.
type emailLink struct {
	Account int64 `json:"a"`
	// From is the key of the address that the account has to have still: To's own,
	// or that which To takes the place of.
	From    string `json:"f"`
	To      string `json:"t"`
	Expires int64  `json:"e"` // Unix seconds
}

func newEmailLink(a account.Account, to string, now time.Time) emailLink {
	return emailLink{Account: a.ID, From: account.EmailKey(a.Email), To: to, Expires: now.Add(account.ConfirmationLifetime).Unix()}
}

func (s *Surface) confirmationLink(l emailLink, now time.Time) (string, error) {
	plain, err := json.Marshal(l)
	if err != nil {
		return "", err
	}
	sealed, err := s.View.Keys().Seal(nil, seal.EmailLink, now, plain)
	if err != nil {
		return "", err
	}
	return s.Issuer + confirmPath + "?token=" + string(sealed), nil
}

// openEmailLink answers a *web.Error for a link that does not count.
func (s *Surface) openEmailLink(r *http.Request, u session.User, token string) (emailLink, error) {
	var l emailLink
	plain, err := s.View.Open(r.Context(), seal.EmailLink, token)
	if err == nil {
		err = json.Unmarshal(plain, &l)
	}
	switch {
	case err != nil, !s.Now().Before(time.Unix(l.Expires, 0)), l.Account == u.Account.ID && l.From != account.EmailKey(u.Account.Email):
		return l, deadEmailLink(err)
	case l.Account != u.Account.ID:
		return l, &web.Error{
			Status: http.StatusForbidden, Title: "This link belongs to another account",
			Detail: "You are signed in as " + u.Account.Email + ". Nothing was changed.",
			Turn:   web.YourTurn, Next: "Sign in to the account that the mail was sent for.",
			Links: []web.Link{{Text: "Use another account", URL: toDestination(r.URL.RequestURI()).Via(session.SignInPath)}},
		}
	}
	return l, nil
}

func deadEmailLink(cause error) *web.Error {
	return &web.Error{
		Status: http.StatusGone, Title: "This link cannot be used any more",
		Detail: "It was used already, is older than a day, or arrived incomplete.",
		Turn:   web.YourTurn, Next: "Your account page says whether the address is confirmed, and sends the mail again.",
		Links: []web.Link{{Text: "Your account", URL: accountPath}}, Err: cause,
	}
}

// confirmEmailForm changes nothing: programs that scan mails open every link.
func (s *Surface) confirmEmailForm(w http.ResponseWriter, r *http.Request, u session.User) error {
	token := r.URL.Query().Get("token")
	l, err := s.openEmailLink(r, u, token)
	if err != nil {
		return err
	}
	return s.narrow(w, r, http.StatusOK, "confirm_email", "Confirm your e-mail address", nil, struct{ Email, Token string }{l.To, token})
}

func (s *Surface) confirmEmail(w http.ResponseWriter, r *http.Request, u session.User) error {
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	l, err := s.openEmailLink(r, u, form.Get("token"))
	if err != nil {
		return err
	}
	now := s.Now()
	by := s.Sessions.By(r, u, now)
	if key := account.EmailKey(l.To); key == l.From {
		err = s.Store.ConfirmEmail(r.Context(), l.Account, key, by)
	} else {
		err = s.Store.ChangeEmail(r.Context(), l.Account, l.To, key, now, by)
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return deadEmailLink(err)
	case errors.Is(err, store.ErrEmailTaken):
		return web.Conflict("Another account has been made with this address since the mail was sent.", web.Link{Text: "Your account", URL: accountPath})
	case err != nil:
		return err
	}
	return done(w, r, accountPath, emailConfirmed)
}

// sendConfirmation sends the link for the account's present address once more.
func (s *Surface) sendConfirmation(w http.ResponseWriter, r *http.Request, u session.User) error {
	if !s.confirms() || !u.Account.EmailConfirmedAt.IsZero() {
		return s.toAccount(w, r, u)
	}
	now := s.Now()
	ok, err := s.mayMail(r.Context(), account.EmailKey(u.Account.Email), now)
	if err != nil {
		return err
	}
	if ok {
		if err := s.postConfirmation(newEmailLink(*u.Account, u.Account.Email, now), now); err != nil {
			return err
		}
	}
	return done(w, r, accountPath, confirmationSent)
}
