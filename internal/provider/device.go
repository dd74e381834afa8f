package provider

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatelodge/internal/authz"
	"gatelodge/internal/oauth"
	"gatelodge/internal/store"
)

// deviceAnswer is RFC 8628 section 3.2. Login with Amazon has no
// verification_uri_complete (login-with-amazon.md section 9).
type deviceAnswer struct {
	UserCode                string `json:"user_code"`
	DeviceCode              string `json:"device_code"`
	VerificationURI         string `json:"verification_uri"`
	VerificationURIComplete string `json:"verification_uri_complete,omitempty"`
	ExpiresIn               int    `json:"expires_in"`
	Interval                int    `json:"interval"`
}

// deviceEndpoint gives devices their pair of codes, on the path of one dialect.
func (p *Provider) deviceEndpoint(path oauth.Dialect) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			return p.writeError(w, r, http.StatusMethodNotAllowed, &oauth.Error{Code: oauth.InvalidRequest, Description: "Only POST is supported"})
		}
		x := &exchange{path: path, now: p.Now()}
		// Whoever knows a client ID can have rows made.
		if wait, ok := p.pairs.Allow(p.Address(r), x.now); !ok {
			w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
			return p.writeError(w, r, http.StatusTooManyRequests, &oauth.Error{Code: oauth.TemporarilyUnavailable, Description: "Too many requests"})
		}
		answer, err := p.startDevice(r, x)
		if err != nil {
			return p.turnBack(w, r, x, err)
		}
		p.share(w, r, x.client)
		return writeJSON(w, http.StatusOK, answer)
	}
}

func (p *Provider) startDevice(r *http.Request, x *exchange) (deviceAnswer, error) {
	params, err := p.identify(r, x)
	if err != nil {
		return deviceAnswer{}, err
	}
	if err := x.mayStartDevice(); err != nil {
		return deviceAnswer{}, err
	}
	asked, perr := oauth.ParseDeviceRequest(params, x.path)
	if perr != nil {
		return deviceAnswer{}, perr
	}
	if x.table, err = p.View.Scopes(r.Context()); err != nil {
		return deviceAnswer{}, err
	}
	pair := authz.DevicePair{
		ProfileID: x.client.ID, Device: x.device, Dialect: x.path,
		Interval: authz.PollInterval(x.path), ExpiresAt: x.now.Add(authz.DeviceLifetime),
	}
	if x.device == 0 && x.method == oauth.AuthNone {
		pair.Device = authz.OwnDevice
	}
	if pair.Essential, pair.Voluntary, perr = askedScopes(x.client, x.table, asked.Scope, asked.ScopeData); perr != nil {
		return deviceAnswer{}, perr
	}
	answer := deviceAnswer{
		DeviceCode: authz.NewDeviceCode(), VerificationURI: p.Issuer + devicePath,
		ExpiresIn: int(authz.DeviceLifetime / time.Second), Interval: int(pair.Interval / time.Second),
	}
	pair.DeviceCode = authz.DigestDeviceCode(answer.DeviceCode)
	var code authz.UserCode
	err = store.ErrCodeTaken
	for range 5 { // user codes are short: two may fall on the same
		if !errors.Is(err, store.ErrCodeTaken) {
			break
		}
		code = authz.NewUserCode(x.path)
		pair.UserCode = code.Digest()
		err = p.Store.CreateDevicePair(r.Context(), pair, x.now)
	}
	answer.UserCode = code.String()
	if x.path == oauth.Standard {
		answer.VerificationURIComplete = answer.VerificationURI + "?user_code=" + answer.UserCode
	} else {
		answer.VerificationURI = p.Issuer + "/" + country(r.Header.Get("Accept-Language")) + "/code"
	}
	return answer, err
}

// mayStartDevice lets the device grant begin for a device's client ID, for profiles
// that can keep no secret and have no browser's page to leave, and for others with
// their secret.
func (x *exchange) mayStartDevice() error {
	kind := x.client.Settings.Kind
	const make = " Make a device client ID on the tab TVs and Other Devices of the profile, and send that one."
	switch {
	case x.device != 0:
		return nil
	case !x.client.May(oauth.GrantDeviceCode):
		return oauth.NotAuthorized().Because("A security profile of the kind “" + kind.Name() + "” cannot use the device grant with its own client ID." + make)
	case kind.Public():
		return nil
	case x.path == oauth.LoginWithAmazon || x.method == oauth.AuthNone:
		return oauth.NotAuthorized().Because("This is the client ID of a web application, which starts the device grant on /oauth2/device_authorization with its secret alone." + make)
	}
	return nil
}

// country is that of the verification page: what Accept-Language names first, as in
// de-DE (login-with-amazon.md section 9), else "us".
func country(acceptLanguage string) string {
	for tag := range strings.SplitSeq(acceptLanguage, ",") {
		tag, _, _ = strings.Cut(strings.TrimSpace(tag), ";")
		parts := strings.Split(strings.ToLower(tag), "-")
		if i := slices.IndexFunc(parts[1:], isCountry); i >= 0 {
			return parts[1:][i]
		}
	}
	return "us"
}

// isCountry checks for two letters (ISO 3166-1 alpha-2), whether there is such a
// country or not.
func isCountry(s string) bool {
	return len(s) == 2 && strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz") == ""
}

// ownsPair reports whether the pair was given to the client that asks.
func (x *exchange) ownsPair(pair authz.DevicePair) bool {
	return pair.ProfileID == x.client.ID && max(pair.Device, 0) == x.device
}
