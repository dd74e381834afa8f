package session

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gatelodge/internal/account"
	"gatelodge/internal/audit"
	"gatelodge/internal/live"
	"gatelodge/internal/seal"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

var (
	// ErrNone: the request brings no session.
	ErrNone = errors.New("session: nobody is signed in")
	// ErrExpired: the request brings a session that has ended.
	ErrExpired = errors.New("session: the session has ended")
)

// User is who is signed in. Both values are shared: do not change them.
type User struct {
	Account *account.Account
	Session *account.Session
}

// Badge is the user as the header of pages shows it.
func (u User) Badge() *web.AccountBadge {
	if u.Account == nil {
		return nil
	}
	return &web.AccountBadge{Name: u.Account.Name, Email: u.Account.Email, Operator: !u.Account.OperatorSince.IsZero()}
}

// Options are what a Manager is made of.
type Options struct {
	Store  *store.Store
	View   *live.View
	Hasher *account.Hasher
	Now    func() time.Time
	// Secure says that the issuer is https.
	Secure bool
	// Address tells where a request comes from, with trusted proxies taken into
	// account.
	Address func(*http.Request) netip.Addr
	// SignInPage renders the page on which a person signs in, in place of the
	// page that was asked for.
	SignInPage func(http.ResponseWriter, *http.Request, SignIn) error
	// Metrics, when set, is where sign-ins are counted.
	Metrics prometheus.Registerer
}

// SignIn is what the sign-in page needs to bring a person back to where they were.
type SignIn struct {
	// Continue is the path to go on to.
	Continue string
	// Typed is the sealed form that travels in the page, empty when there is none.
	Typed string
	// Expired: there was a session, and it has run out.
	Expired bool
}

// Manager answers who is signed in. It is safe for concurrent use.
type Manager struct {
	Options
	cookie, device string
	signIns        signInMeter
}

// New makes a Manager.
func New(o Options) *Manager {
	m := &Manager{Options: o, cookie: "gatelodge_session", device: "gatelodge_device", signIns: newSignInMeter(o.Metrics)}
	if o.Secure {
		// The prefix keeps other hosts of the domain from setting it (RFC 6265bis section 4.1.3.2).
		m.cookie, m.device = "__Host-"+m.cookie, "__Host-"+m.device
	}
	return m
}

// By is the actor of an audit event.
func (m *Manager) By(r *http.Request, u User, now time.Time) audit.By {
	by := audit.By{Address: m.Address(r).String(), RequestID: web.RequestID(r.Context()), At: now}
	if u.Account != nil {
		by.AccountID = u.Account.ID
	}
	return by
}

// Current says who is signed in, or ErrNone or ErrExpired. Another error means that
// it cannot be known now.
func (m *Manager) Current(r *http.Request) (User, error) {
	c, err := r.Cookie(m.cookie)
	if err != nil {
		if _, known := m.deviceAccount(r); known {
			return User{}, ErrExpired // the browser drops the cookie when it ends
		}
		return User{}, ErrNone
	}
	digest, ok := account.DigestToken(c.Value)
	if !ok {
		return User{}, ErrNone
	}
	s, err := m.View.Session(r.Context(), digest)
	if errors.Is(err, store.ErrNotFound) {
		return User{}, ErrExpired
	}
	if err != nil {
		return User{}, err
	}
	now := m.Now()
	if !s.Live(now) {
		return User{}, ErrExpired
	}
	a, err := m.View.Account(r.Context(), s.AccountID)
	if errors.Is(err, store.ErrNotFound) {
		return User{}, ErrExpired
	}
	if err != nil {
		return User{}, err
	}
	if !a.DisabledAt.IsZero() {
		return User{}, ErrExpired
	}
	if s.TouchDue(now) {
		touched := s.Touch(now)
		if err := m.Store.TouchSession(r.Context(), digest, touched.LastSeenAt, touched.ExpiresAt); err != nil {
			return User{}, err
		}
		s = &touched
	}
	return User{Account: a, Session: s}, nil
}

// Badge is who is signed in, for pages that everybody may see; nil when nobody is
// or it cannot be known.
func (m *Manager) Badge(r *http.Request) *web.AccountBadge {
	u, err := m.Current(r)
	if err != nil {
		return nil
	}
	return u.Badge()
}

// Start signs an account in: a new session takes the place of the one the browser
// had, so that nobody can have planted it (session fixation).
func (m *Manager) Start(w http.ResponseWriter, r *http.Request, a account.Account) error {
	now := m.Now()
	value, s := account.NewSession(a.ID, r.UserAgent(), m.Address(r).String(), now)
	return m.start(w, r, value, s, now)
}

// StartFrom is Start for somebody whom their home region has signed in: the sign-in is
// as old as it is there.
func (m *Manager) StartFrom(w http.ResponseWriter, r *http.Request, a account.Account, home account.SignedInAtHome) error {
	now := m.Now()
	value, s := account.NewSession(a.ID, r.UserAgent(), m.Address(r).String(), now)
	return m.start(w, r, value, s.At(home), now)
}

func (m *Manager) start(w http.ResponseWriter, r *http.Request, value string, s account.Session, now time.Time) error {
	if err := m.replace(r, s, now); err != nil {
		return err
	}
	m.set(w, m.cookie, value, account.SessionLifetime)
	return m.setDevice(w, s.AccountID, now)
}

// replace puts s in the place of the browser's session. Of the same account it is the
// same session to applications: who gives the password once more has not signed out.
func (m *Manager) replace(r *http.Request, s account.Session, now time.Time) error {
	old, ok, err := m.cookieSession(r)
	if err != nil {
		return err
	}
	if ok && old.AccountID == s.AccountID {
		err := m.Store.RenewSession(r.Context(), old.Digest, s)
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	if err := m.endCookie(r, now); err != nil {
		return err
	}
	return m.Store.CreateSession(r.Context(), s)
}

// End signs out. The device cookie goes as well: nothing of the account is left in
// the browser.
func (m *Manager) End(w http.ResponseWriter, r *http.Request) error {
	if err := m.endCookie(r, m.Now()); err != nil {
		return err
	}
	m.clear(w, m.cookie)
	m.clear(w, m.device)
	return nil
}

func (m *Manager) endCookie(r *http.Request, now time.Time) error {
	s, ok, err := m.cookieSession(r)
	if err != nil || !ok {
		return err
	}
	return m.Store.EndSession(r.Context(), s.AccountID, s.Digest, m.By(r, User{Account: &account.Account{ID: s.AccountID}}, now))
}

// cookieSession is the session that the browser names, expired or not.
func (m *Manager) cookieSession(r *http.Request) (s *account.Session, ok bool, err error) {
	c, err := r.Cookie(m.cookie)
	if err != nil {
		return nil, false, nil
	}
	digest, ok := account.DigestToken(c.Value)
	if !ok {
		return nil, false, nil
	}
	s, err = m.View.Session(r.Context(), digest)
	if errors.Is(err, store.ErrNotFound) {
		return nil, false, nil
	}
	return s, err == nil, err
}

func (m *Manager) set(w http.ResponseWriter, name, value string, age time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: int(age.Seconds()),
		HttpOnly: true, Secure: m.Secure, SameSite: http.SameSiteLaxMode,
	})
}

func (m *Manager) clear(w http.ResponseWriter, name string) {
	http.SetCookie(w, &http.Cookie{Name: name, Path: "/", MaxAge: -1, HttpOnly: true, Secure: m.Secure, SameSite: http.SameSiteLaxMode})
}

const deviceLifetime = 400 * 24 * time.Hour // the longest that browsers keep a cookie

func (m *Manager) setDevice(w http.ResponseWriter, accountID int64, now time.Time) error {
	plain := binary.BigEndian.AppendUint64(nil, uint64(accountID))
	plain = binary.BigEndian.AppendUint64(plain, uint64(now.Unix()))
	sealed, err := m.View.Keys().Seal(nil, seal.Device, now, plain)
	if err != nil {
		return err
	}
	m.set(w, m.device, string(sealed), deviceLifetime)
	return nil
}

// deviceAccount says whose session this browser last had.
func (m *Manager) deviceAccount(r *http.Request) (int64, bool) {
	c, err := r.Cookie(m.device)
	if err != nil {
		return 0, false
	}
	plain, err := m.View.Open(r.Context(), seal.Device, c.Value)
	if err != nil || len(plain) != 16 {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(plain)), true
}

// deviceName tells browsers of one account apart, for counting their attempts.
func (m *Manager) deviceName(r *http.Request) string {
	c, err := r.Cookie(m.device)
	if err != nil {
		return ""
	}
	plain, err := m.View.Open(r.Context(), seal.Device, c.Value)
	if err != nil {
		return ""
	}
	return base64.RawStdEncoding.EncodeToString(plain)
}
