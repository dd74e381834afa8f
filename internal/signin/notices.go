package signin

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/session"
	"gatelodge/internal/web"
)

// busyWait is how long somebody is asked to wait when too many passwords are being
// checked.
const busyWait = 3 * time.Second

// wait answers errors after which the same form may be sent again later: it sets
// Retry-After and gives status and words of the answer. ok is false for all others.
func wait(w http.ResponseWriter, err error) (status int, words *web.Flash, ok bool) {
	if errors.Is(err, account.ErrBusy) {
		return retry(w, http.StatusServiceUnavailable, busyWait, "Very many people are signing in right now",
			"Nothing is wrong with what you entered.")
	}
	if slow, is := errors.AsType[*session.SlowDownError](err); is {
		return retry(w, http.StatusTooManyRequests, slow.Wait, "Too many attempts",
			"The account is not locked: whoever signs in from a browser that it was used in before is not held up by others.",
			web.Link{Text: "Forgot your password?", URL: recoverPath})
	}
	return 0, nil, false
}

func retry(w http.ResponseWriter, status int, after time.Duration, title, detail string, links ...web.Link) (int, *web.Flash, bool) {
	w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(after.Seconds()))))
	return status, &web.Flash{Kind: web.Warning, Title: title, Detail: "Wait " + inWords(after) + ", then try again. " + detail, Links: links}, true
}

// inWords says a duration, rounded up so that who waits that long is let in.
func inWords(d time.Duration) string {
	count := func(unit time.Duration, one string) string {
		n := (d + unit - 1) / unit
		if n <= 1 {
			return "1 " + one
		}
		return fmt.Sprintf("%d %ss", n, one)
	}
	switch {
	case d <= time.Minute:
		return count(time.Second, "second")
	case d <= time.Hour:
		return count(time.Minute, "minute")
	}
	return count(time.Hour, "hour")
}

// outcome names what was done, for the page that follows. The words come from the
// list and never from the address, which a stranger can write.
type outcome string

const (
	detailsSaved      outcome = "details"
	emailChanged      outcome = "email"
	emailAsked        outcome = "email-asked"
	emailConfirmed    outcome = "email-confirmed"
	confirmationSent  outcome = "confirmation"
	passwordChanged   outcome = "password"
	passwordRecovered outcome = "recovered"
	sessionEnded      outcome = "session"
	sessionsEnded     outcome = "sessions"
	grantRemoved      outcome = "removed"
)

var outcomes = map[outcome]web.Flash{
	detailsSaved:      {Kind: web.Success, Title: "Saved", Detail: "Applications that you allowed to see it get the new value from now on."},
	emailChanged:      {Kind: web.Success, Title: "Your e-mail address is changed", Detail: "Sign in with the new one from now on."},
	emailAsked:        {Kind: web.Info, Title: "Check your mail", Detail: "We have sent a link to the new address. Your address changes once you have opened it; until then everything stays as it is."},
	emailConfirmed:    {Kind: web.Success, Title: "Your e-mail address is confirmed", Detail: "Applications that you allow to see it get it from now on."},
	confirmationSent:  {Kind: web.Info, Title: "Check your mail", Detail: "A link is on its way to your address. If nothing arrives within a few minutes, look among the unwanted mails; at most three are sent within an hour."},
	passwordChanged:   {Kind: web.Success, Title: "Your password is changed", Detail: "All other browsers have been signed out."},
	passwordRecovered: {Kind: web.Success, Title: "Your new password is set", Detail: "You are signed in here. All other sessions have ended."},
	sessionEnded:      {Kind: web.Success, Title: "The session has ended", Detail: "That browser has to sign in again."},
	sessionsEnded:     {Kind: web.Success, Title: "All other sessions have ended", Detail: "Only this browser is still signed in."},
	grantRemoved:      {Kind: web.Success, Title: "The application is removed", Detail: "From now on it gets nothing more. What it has received already stays with it."},
}

// done sends the browser on to a page that says what was done.
func done(w http.ResponseWriter, r *http.Request, path string, o outcome) error {
	http.Redirect(w, r, path+"?"+url.Values{"done": {string(o)}}.Encode(), http.StatusSeeOther)
	return nil
}

// said is what the page has to say of what was done just before.
func said(r *http.Request) *web.Flash {
	if f, ok := outcomes[outcome(r.URL.Query().Get("done"))]; ok {
		return &f
	}
	return nil
}
