package bench

import (
	"context"
	crand "crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/authz"
	"gatelodge/internal/oauth"
	"gatelodge/internal/provider"
	"gatelodge/internal/seal"
	"gatelodge/internal/store"
)

// crowd is who asks a town for something: grants drawn uniformly from the first ones,
// and people in front of browsers.
type crowd struct {
	*town
	client *http.Client
	key    clientKey
	grants int // drawn from

	people []*person
}

// person is signed in, and has one public application.
type person struct {
	mu      sync.Mutex // one thing at a time
	account int
	cookie  string
	// grant is one of the account's; rotating is the newest token of another family of it.
	grant, public int
	rotating      string
}

// ask sends a request that has to succeed.
func (c *crowd) ask(r *http.Request) (answer, error) {
	return answered(c.client, r)
}

func (c *crowd) draw() int { return rand.IntN(c.grants) }

func (c *crowd) credentials(profile int) url.Values {
	p := c.Profiles[profile]
	return url.Values{"client_id": {p.ClientID}, "client_secret": {p.Secret}}
}

func (c *crowd) refreshToken(grant int) string {
	id, _, _ := c.Grant(grant)
	t := authz.RefreshToken{GrantID: id, Scopes: c.scopes.Minus(c.openID), Dialect: oauth.Standard, IssuedAt: c.now()}
	crand.Read(t.Family[:])
	text, err := provider.NewRefreshToken(c.view, t)
	if err != nil {
		panic(err) // the keys are the view's own
	}
	return text
}

// accessToken is sealed here: to get it from the server would put the grant into its
// cache.
func (c *crowd) accessToken(grant int) string {
	id, _, profile := c.Grant(grant)
	t := authz.AccessToken{
		GrantID: id, ProfileID: c.Profiles[profile].ID, Scopes: c.scopes, Dialect: oauth.Standard,
		IssuedAt: c.now(), ExpiresAt: c.now().Add(authz.AccessTokenLifetime),
	}
	crand.Read(t.Family[:])
	text, err := c.view.Keys().Seal([]byte("gl_at_"), seal.Access, t.IssuedAt, t.AppendBinary(nil))
	if err != nil {
		panic(err)
	}
	return string(text)
}

func with(form url.Values, pairs ...string) url.Values {
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return form
}

func (c *crowd) refresh() error {
	g := c.draw()
	_, _, p := c.Grant(g)
	_, err := c.ask(post(c.base+"/oauth2/token", with(c.credentials(p), "grant_type", "refresh_token", "refresh_token", c.refreshToken(g)))())
	return err
}

func (c *crowd) clientCredentials() error {
	_, _, p := c.Grant(c.draw())
	_, err := c.ask(post(c.base+"/oauth2/token", with(c.credentials(p), "grant_type", "client_credentials"))())
	return err
}

func (c *crowd) introspect() error {
	g := c.draw()
	_, _, p := c.Grant(g)
	got, err := c.ask(post(c.base+"/oauth2/introspect", with(c.credentials(p), "token", c.accessToken(g)))())
	if err == nil && !strings.Contains(string(got.body), `"active":true`) {
		err = fmt.Errorf("not active: %s", got.body)
	}
	return err
}

func (c *crowd) tokenInfo() error {
	_, err := c.ask(get(c.base + "/auth/o2/tokeninfo?access_token=" + c.accessToken(c.draw())))
	return err
}

func (c *crowd) userInfo() error {
	r := get(c.base + "/oauth2/userinfo")
	r.Header.Set("Authorization", "Bearer "+c.accessToken(c.draw()))
	_, err := c.ask(r)
	return err
}

// meet makes people who are signed in, spread over the grants that are drawn from.
func (c *crowd) meet(n int, public func(i int) (profile int, err error)) error {
	for i := range n {
		p := &person{grant: i * (min(c.grants, c.Accounts) / n), public: -1} // each an account of its own
		_, p.account, _ = c.Grant(p.grant)
		if err := c.begin(p); err != nil {
			return err
		}
		if public != nil {
			var err error
			if p.public, err = public(p.account); err != nil {
				return err
			}
		}
		c.people = append(c.people, p)
	}
	return nil
}

// begin gives a person a session.
func (c *crowd) begin(p *person) error {
	value, s := account.NewSession(c.AccountID(p.account), "bench", "192.0.2.1", c.now())
	p.cookie = "gatelodge_session=" + value
	return c.store.CreateSession(context.Background(), s)
}

// sleep lets time pass in which nobody comes.
func (c *crowd) sleep(d time.Duration) error {
	if err := c.pass(c.client, d); err != nil {
		return err
	}
	for _, p := range c.people {
		if err := c.begin(p); err != nil {
			return err
		}
	}
	return nil
}

// somebody is a person who has nothing else to do.
func (c *crowd) somebody() *person {
	for {
		if p := c.people[rand.IntN(len(c.people))]; p.mu.TryLock() {
			return p
		}
	}
}

func authorizeQuery(clientID, scope string) url.Values {
	sum := sha256.Sum256([]byte(verifier))
	return url.Values{
		"client_id": {clientID}, "redirect_uri": {returnURL}, "response_type": {"code"}, "scope": {scope}, "state": {"s"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
}

// authorize asks for a code, and for consent when that is asked for.
func (c *crowd) authorize(p *person, query url.Values) (code string, err error) {
	r := get(c.base + "/oauth2/authorize?" + query.Encode())
	r.Header.Set("Cookie", p.cookie)
	got, err := c.ask(r)
	if err != nil {
		return "", err
	}
	to := got.header.Get("Location")
	if strings.HasPrefix(to, "/") {
		cookies := p.cookie
		for _, cookie := range got.header.Values("Set-Cookie") {
			pair, _, _ := strings.Cut(cookie, ";")
			cookies += "; " + pair
		}
		if got, err = c.submit(cookies, to, url.Values{"decision": {"allow"}, "account": {strconv.FormatInt(c.AccountID(p.account), 10)}}); err != nil {
			return "", err
		}
		to = got.header.Get("Location")
	}
	u, err := url.Parse(to)
	if err != nil || u.Query().Get("code") == "" {
		return "", fmt.Errorf("no code at %q: %.300s", to, got.body)
	}
	return u.Query().Get("code"), nil
}

func (c *crowd) submit(cookies, target string, form url.Values) (answer, error) {
	r := post(c.base+target, form)()
	r.Header.Set("Cookie", cookies)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("X-Forwarded-For", fmt.Sprintf("198.18.%d.%d", rand.IntN(256), rand.IntN(256)))
	return c.ask(r)
}

func (c *crowd) exchange(code string, credentials url.Values) (t tokens, err error) {
	got, err := c.ask(post(c.base+"/oauth2/token", with(credentials, "grant_type", "authorization_code", "code", code, "redirect_uri", returnURL, "code_verifier", verifier))())
	if err != nil {
		return t, err
	}
	return t, json.Unmarshal(got.body, &t)
}

func (c *crowd) flow() error {
	p := c.somebody()
	defer p.mu.Unlock()
	_, _, profile := c.Grant(p.grant)
	code, err := c.authorize(p, authorizeQuery(c.Profiles[profile].ClientID, "profile"))
	if err != nil {
		return err
	}
	_, err = c.exchange(code, c.credentials(profile))
	return err
}

// rotate uses up the newest token of a person's public application.
func (c *crowd) rotate() error {
	p := c.somebody()
	defer p.mu.Unlock()
	id := c.Profiles[p.public].ClientID
	var t tokens
	if p.rotating == "" {
		code, err := c.authorize(p, authorizeQuery(id, "profile"))
		if err != nil {
			return err
		}
		if t, err = c.exchange(code, url.Values{"client_id": {id}}); err != nil {
			return err
		}
	} else {
		got, err := c.ask(post(c.base+"/oauth2/token", url.Values{"client_id": {id}, "grant_type": {"refresh_token"}, "refresh_token": {p.rotating}})())
		if err != nil {
			return err
		}
		if err := json.Unmarshal(got.body, &t); err != nil {
			return err
		}
	}
	if p.rotating = t.Refresh; t.Refresh == "" {
		return errors.New("no refresh token")
	}
	return nil
}

func (c *crowd) signIn() error {
	p := c.somebody()
	defer p.mu.Unlock()
	got, err := c.submit("", "/sign-in", url.Values{"email": {c.Email(p.account)}, "password": {password}})
	if err == nil && got.header.Get("Location") == "" {
		err = fmt.Errorf("not signed in: %.300s", got.body)
	}
	return err
}

func (c *crowd) recover() error {
	_, err := c.submit("", "/recover", url.Values{"email": {c.Email(rand.IntN(c.Accounts))}})
	return err
}

func (c *crowd) push() error {
	p := c.somebody()
	defer p.mu.Unlock()
	began := c.now()
	_, _, profile := c.Grant(p.grant)
	id := c.Profiles[profile].ClientID
	form := authorizeQuery(id, "profile")
	form.Set("client_secret", c.Profiles[profile].Secret)
	got, err := c.ask(post(c.base+"/oauth2/par", form)())
	if err != nil {
		return err
	}
	var pushed struct {
		URI string `json:"request_uri"`
	}
	if err := json.Unmarshal(got.body, &pushed); err != nil || rand.IntN(2) == 0 {
		return err // the user has gone away
	}
	_, err = c.authorize(p, url.Values{"client_id": {id}, "request_uri": {pushed.URI}})
	if c.now().Sub(began) > store.PushedLifetime {
		return nil // the clock is moved by others meanwhile, and this took too long
	}
	return err
}

func (c *crowd) dpop() error {
	_, _, profile := c.Grant(c.draw())
	target := c.base + "/oauth2/token"
	r := post(target, with(c.credentials(profile), "grant_type", "client_credentials"))()
	r.Header.Set("DPoP", c.key.proofAt(c.now(), http.MethodPost, target, ""))
	_, err := c.ask(r)
	return err
}

// device connects a device, or leaves it waiting.
func (c *crowd) device() error {
	p := c.somebody()
	defer p.mu.Unlock()
	_, _, profile := c.Grant(p.grant)
	id := c.Profiles[profile].ClientID
	got, err := c.ask(post(c.base+"/oauth2/device_authorization", with(c.credentials(profile), "scope", "profile"))())
	if err != nil {
		return err
	}
	var pair struct {
		DeviceCode string `json:"device_code"`
		UserCode   string `json:"user_code"`
	}
	if err := json.Unmarshal(got.body, &pair); err != nil || rand.IntN(2) == 0 {
		return err
	}
	allow := url.Values{"user_code": {pair.UserCode}, "account": {strconv.FormatInt(c.AccountID(p.account), 10)}, "decision": {"allow"}}
	if _, err := c.submit(p.cookie, "/device", allow); err != nil {
		return err
	}
	_, err = c.ask(post(c.base+"/oauth2/token", with(c.credentials(profile), "client_id", id,
		"grant_type", "urn:ietf:params:oauth:grant-type:device_code", "device_code", pair.DeviceCode))())
	return err
}

// remove removes an application that a person has connected, and connects it again.
func (c *crowd) remove() error {
	p := c.somebody()
	defer p.mu.Unlock()
	g, _, err := c.store.GrantFor(context.Background(), c.AccountID(p.account), c.Profiles[p.public].ID)
	if err != nil {
		return err
	}
	if _, err := c.submit(p.cookie, "/account/applications", url.Values{"grant": {strconv.FormatInt(g.ID, 10)}}); err != nil {
		return err
	}
	p.rotating = ""
	id := c.Profiles[p.public].ClientID
	code, err := c.authorize(p, authorizeQuery(id, "profile"))
	if err != nil {
		return err
	}
	t, err := c.exchange(code, url.Values{"client_id": {id}})
	p.rotating = t.Refresh
	return err
}

func (c *crowd) revoke() error {
	g := rand.IntN(c.Grants) // of all: a day's on one of them would end what it has
	_, _, p := c.Grant(g)
	_, err := c.ask(post(c.base+"/oauth2/revoke", with(c.credentials(p), "token", c.refreshToken(g)))())
	return err
}

// day is what people and applications do, each so many times in a thousand.
func (c *crowd) day() []pastime {
	return []pastime{
		{340, c.refresh}, {120, c.tokenInfo}, {120, c.introspect}, {120, c.userInfo}, {80, c.clientCredentials},
		{80, c.flow}, {60, c.rotate}, {30, c.dpop}, {20, c.push}, {10, c.device}, {12, c.signIn}, {5, c.recover}, {2, c.remove}, {1, c.revoke},
	}
}

type pastime struct {
	weight int
	do     func() error
}

// pace is how much of the server's time passes with each thing: a million fill a day
// and an hour.
const pace = 90 * time.Millisecond

// live lets the crowd do n things.
func (c *crowd) live(n int) error {
	day := c.day()
	total := 0
	for _, p := range day {
		total += p.weight
	}
	const tick = 100 // things between two moves of the clock
	var done atomic.Int64
	return c.do(n, func() error {
		if done.Add(1)%tick == 0 {
			if err := c.pass(c.client, tick*pace); err != nil {
				return err
			}
		}
		at := rand.IntN(total)
		for _, p := range day {
			if at -= p.weight; at < 0 {
				return p.do()
			}
		}
		return nil
	})
}

// do does something n times over all connections, until it fails.
func (c *crowd) do(n int, once func() error) error {
	var left atomic.Int64
	left.Store(int64(n))
	errs := make([]error, connections)
	var wg sync.WaitGroup
	for worker := range connections {
		wg.Go(func() {
			for errs[worker] == nil && left.Add(-1) >= 0 {
				errs[worker] = once()
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}
