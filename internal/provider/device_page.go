package provider

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/authz"
	"gatelodge/internal/registry"
	"gatelodge/internal/session"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

// deviceWords names the words of the device's consent page, for the record of a consent.
const deviceWords = "device-page/1"

const (
	fieldUserCode = "user_code"
	labelUserCode = "Code on your device"
	// doneParam says on the page at the end what the answer was.
	doneParam   = "done"
	doneAllowed = "allowed"
	doneDenied  = "cancelled"
)

// deviceEntry is the page that asks for the code.
type deviceEntry struct {
	Path string
	Form *web.Form
	// Done is the answer that was given, "" before there is one.
	Done string
}

// deviceConsent is the page that asks for consent.
type deviceConsent struct {
	Path, Code string
	Consent    web.Consent
	Error      string
	Account    int64
}

// devicePage asks for the code that a device shows. A code in the address is put into
// the field and not looked up: an address may be anybody's, and whoever follows one has
// not yet looked at a device (RFC 8628 section 3.3.1).
func (p *Provider) devicePage(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	form := web.NewForm(url.Values{fieldUserCode: {tidyCode(q.Get(fieldUserCode))}})
	done := q.Get(doneParam)
	if done != doneAllowed && done != doneDenied {
		done = ""
	}
	return p.showDevice(w, r, http.StatusOK, deviceEntry{Form: form, Done: done})
}

// tidyCode is a code as pages write it; what is none is not repeated.
func tidyCode(s string) string {
	code, err := authz.ParseUserCode(s)
	if err != nil {
		return ""
	}
	return code.String()
}

func (p *Provider) showDevice(w http.ResponseWriter, r *http.Request, status int, page deviceEntry) error {
	page.Path = deviceAddress(r)
	title := "Connect a device"
	if page.Done != "" {
		title = "You can go back to your device"
	}
	return p.pages.Render(w, r, status, "device", web.Page{Title: title, Narrow: true, Account: p.Sessions.Badge(r), Data: page})
}

// deviceAddress is the page's path in its one spelling.
func deviceAddress(r *http.Request) string { return strings.ToLower(r.URL.Path) }

// enterCode takes the code, and then the answer: both forms post to the page.
func (p *Provider) enterCode(w http.ResponseWriter, r *http.Request) error {
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	code, err := authz.ParseUserCode(form.Get(fieldUserCode))
	if err != nil {
		form.Fail(fieldUserCode, "Write the 6 or 8 letters and digits that your device shows, such as BCDF-GHJK.")
		return p.showDevice(w, r, http.StatusUnprocessableEntity, deviceEntry{Form: form})
	}
	u, err := p.Sessions.Current(r)
	if errors.Is(err, session.ErrNone) || errors.Is(err, session.ErrExpired) {
		back := deviceAddress(r) + "?" + url.Values{fieldUserCode: {code.String()}}.Encode()
		http.Redirect(w, r, session.SignInPath+"?"+url.Values{"continue": {back}}.Encode(), http.StatusSeeOther)
		return nil
	}
	if err != nil {
		return err
	}
	if wait, err := p.takeGuess(r, u); err != nil {
		return err
	} else if wait > 0 {
		return web.TooMany(wait, "Many codes were tried from here or with your account. To keep people from guessing the codes of others, the next try has to wait.")
	}
	pair, err := p.Store.DevicePairFor(r.Context(), code.Digest())
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err != nil || pair.Expired(p.Now()) {
		form.Fail(fieldUserCode, "No device waits with this code. It may be older than ten minutes: look at the device again, or start there once more.")
		return p.showDevice(w, r, http.StatusUnprocessableEntity, deviceEntry{Form: form})
	}
	if err := p.giveBackGuess(r, u); err != nil {
		return err
	}
	return p.answerDevice(w, r, u, form, code, pair)
}

// takeGuess counts a try at a code, for the account and for the address: codes are
// short (RFC 8628 section 5.1). It answers how long to wait, or 0.
func (p *Provider) takeGuess(r *http.Request, u session.User) (time.Duration, error) {
	for _, bucket := range guesses(p, r, u) {
		if wait, err := p.Store.Take(r.Context(), bucket.key, bucket.kind.Rate(), p.Now()); wait > 0 || err != nil {
			return wait, err
		}
	}
	return 0, nil
}

// giveBackGuess gives back the one try that was none, and no more: whoever guesses may
// have a device of their own.
func (p *Provider) giveBackGuess(r *http.Request, u session.User) error {
	for _, bucket := range guesses(p, r, u) {
		if err := p.Store.GiveBack(r.Context(), bucket.key, bucket.kind.Rate()); err != nil {
			return err
		}
	}
	return nil
}

type guessBucket struct {
	key  [32]byte
	kind account.ThrottleKind
}

func guesses(p *Provider, r *http.Request, u session.User) [2]guessBucket {
	return [2]guessBucket{
		{account.AddressThrottleKey(account.UserCodeByAddress, p.Address(r)), account.UserCodeByAddress},
		{account.ThrottleKey(account.UserCodeByAccount, strconv.FormatInt(u.Account.ID, 10)), account.UserCodeByAccount},
	}
}

// device is a pair with what it belongs to.
type device struct {
	code    authz.UserCode
	pair    authz.DevicePair
	profile *registry.SecurityProfile
	table   *registry.Scopes
}

// answerDevice asks for consent, or takes the answer. Devices are asked for each time,
// whatever was allowed before: that a person is at this one is not known.
func (p *Provider) answerDevice(w http.ResponseWriter, r *http.Request, u session.User, form *web.Form, code authz.UserCode, pair authz.DevicePair) error {
	if pair.State != authz.DevicePending {
		return p.answeredDevice(w, r, u, pair)
	}
	profile, err := p.View.Profile(r.Context(), pair.ProfileID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err != nil || !profile.SuspendedAt.IsZero() || !hasDevice(profile, pair.Device) {
		return web.Conflict("The application of this device is no longer in service. Nothing was allowed.")
	}
	table, err := p.View.Scopes(r.Context())
	if err != nil {
		return err
	}
	d := device{code, pair, profile, table}
	switch form.Get("decision") {
	case "":
		return p.showDeviceConsent(w, r, http.StatusOK, d, u, "")
	case "cancel":
		err := p.Store.DenyDevice(r.Context(), pair.UserCode, p.Now())
		return p.deviceDone(w, r, u, d, err, doneDenied)
	case "allow":
	default:
		return p.showDeviceConsent(w, r, http.StatusUnprocessableEntity, d, u, "Choose Allow or Cancel.")
	}
	if form.Get("account") != strconv.FormatInt(u.Account.ID, 10) {
		return p.showDeviceConsent(w, r, http.StatusConflict, d, u, "You are signed in with another account now. Choose once more.")
	}
	ticked, _ := table.Parse(form.Values["scope"])
	allowed := authz.Ask{Essential: pair.Essential, Voluntary: pair.Voluntary}.Allow(ticked)
	if allowed.Empty() {
		return p.showDeviceConsent(w, r, http.StatusUnprocessableEntity, d, u, "Nothing is ticked. Tick what the device may have, or press Cancel.")
	}
	err = p.Store.AllowDevice(r.Context(), pair.UserCode, store.Allowance{
		AccountID: u.Account.ID, ProfileID: pair.ProfileID, Asked: pair.Requested(), Allowed: allowed, Words: wordsOf(deviceWords, d.scopes(), web.Languages(r)),
	}, u.Session.AuthenticatedAt, p.Sessions.By(r, u, p.Now()))
	return p.deviceDone(w, r, u, d, err, doneAllowed)
}

// scopes are what was asked for, by their own names: a pair keeps no others.
func (d device) scopes() []registry.Scope { return named(d.table, d.table.Names(d.pair.Requested())) }

func (p *Provider) showDeviceConsent(w http.ResponseWriter, r *http.Request, status int, d device, u session.User, problem string) error {
	path := deviceAddress(r)
	back := path + "?" + url.Values{fieldUserCode: {d.code.String()}}.Encode()
	c, err := p.consent(r, d.profile, u, url.Values{"continue": {back}})
	if err != nil {
		return err
	}
	c.Items = p.consentItems(d.scopes(), d.pair.Voluntary, web.Languages(r), u)
	return p.pages.Render(w, r, status, "device_consent", web.Page{
		Title: "Allow " + d.profile.Name + " on your device?", Narrow: true, Account: u.Badge(),
		Data: deviceConsent{Path: path, Code: d.code.String(), Consent: c, Error: problem, Account: u.Account.ID},
	})
}

// deviceDone goes on from what the store made of the answer.
func (p *Provider) deviceDone(w http.ResponseWriter, r *http.Request, u session.User, d device, err error, done string) error {
	if errors.Is(err, store.ErrNotFound) {
		// Something else came first: another window, or the end of the application.
		pair, err := p.Store.DevicePairFor(r.Context(), d.pair.UserCode)
		if errors.Is(err, store.ErrNotFound) || err == nil && pair.State == authz.DevicePending {
			return web.Conflict("The code, the application or your account has ended since this page was opened. Nothing was allowed.")
		}
		if err != nil {
			return err
		}
		return p.answeredDevice(w, r, u, pair)
	}
	if err != nil {
		return err
	}
	return toDone(w, r, done)
}

func toDone(w http.ResponseWriter, r *http.Request, done string) error {
	http.Redirect(w, r, deviceAddress(r)+"?"+url.Values{doneParam: {done}}.Encode(), http.StatusSeeOther)
	return nil
}

// answeredDevice is for a code whose question has been answered: who answered it
// pressed twice, and nobody else learns how.
func (p *Provider) answeredDevice(w http.ResponseWriter, r *http.Request, u session.User, pair authz.DevicePair) error {
	if pair.GrantID != 0 {
		grant, err := p.View.Grant(r.Context(), pair.GrantID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err == nil && grant.AccountID == u.Account.ID {
			return toDone(w, r, doneAllowed)
		}
	}
	form := web.NewForm(url.Values{})
	form.Fail(fieldUserCode, "This code was used before. Start on the device once more to get another.")
	return p.showDevice(w, r, http.StatusConflict, deviceEntry{Form: form})
}
