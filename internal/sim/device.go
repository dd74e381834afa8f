package sim

import (
	"net/url"
	"time"

	"gatelodge/internal/oauth"
	"gatelodge/internal/registry"
)

// Device is a television or another device that talks to the server and shows codes to
// its user. It has no secret.
type Device struct {
	ID string
	// Client is zero of a device that uses the profile's own client ID.
	Client registry.DeviceClient

	app   *Application
	world *World
}

// NewDevice makes a client ID for devices of the application.
func (a *Application) NewDevice() *Device {
	a.world.t.Helper()
	c, err := a.world.Store.AddDevice(a.world.t.Context(), a.Profile.DeveloperID, a.Profile.ID, "Living room", a.by())
	if err != nil {
		a.world.t.Fatal(err)
	}
	return &Device{ID: registry.Namespace(Namespace).ClientID(c.Client), Client: c, app: a, world: a.world}
}

// AsDevice is a device that uses the profile's own client ID.
func (a *Application) AsDevice() *Device { return &Device{ID: a.ID, app: a, world: a.world} }

// Remove removes the client ID.
func (v *Device) Remove() {
	v.world.t.Helper()
	if err := v.world.Store.RemoveDevice(v.world.t.Context(), v.app.Profile.DeveloperID, v.app.Profile.ID, v.Client.ID, v.app.by()); err != nil {
		v.world.t.Fatal(err)
	}
}

// In gives the device in another world on the same database: a replica.
func (v *Device) In(w *World) *Device {
	replica := *v
	replica.world = w
	return &replica
}

// DevicePath is where a dialect's devices get their codes.
func DevicePath(d oauth.Dialect) string {
	if d == Amazon {
		return "/auth/O2/create/codepair" // as official clients spell it
	}
	return "/oauth2/device_authorization"
}

// Start asks for a pair of codes for the scope profile. Pairs of names and values change
// the parameters.
func (v *Device) Start(d oauth.Dialect, pairs ...string) Answer {
	v.world.t.Helper()
	form := url.Values{"client_id": {v.ID}, "scope": {"profile"}}
	if d == Amazon {
		form.Set("response_type", "device_code")
	}
	return v.world.Post(DevicePath(d), with(form, pairs))
}

// URN is RFC 8628's grant type.
const URN = "urn:ietf:params:oauth:grant-type:device_code"

// Poll asks for the tokens of a pair that Start gave: with the word and both codes on
// the path of Login with Amazon, else as RFC 8628 has it.
func (v *Device) Poll(d oauth.Dialect, start Answer, pairs ...string) Answer {
	v.world.t.Helper()
	return v.world.Post(TokenPath(d), v.PollForm(d, start, pairs...))
}

// PollForm is what Poll sends.
func (v *Device) PollForm(d oauth.Dialect, start Answer, pairs ...string) url.Values {
	form := url.Values{"grant_type": {URN}, "device_code": {start.Text("device_code")}, "client_id": {v.ID}}
	if d == Amazon {
		form = url.Values{"grant_type": {"device_code"}, "device_code": {start.Text("device_code")}, "user_code": {start.Text("user_code")}}
	}
	return with(form, pairs)
}

// Refresh asks for another access token, without a secret.
func (v *Device) Refresh(d oauth.Dialect, token string, pairs ...string) Answer {
	v.world.t.Helper()
	return v.world.Post(TokenPath(d), with(url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {v.ID},
	}, pairs))
}

// Wait lets the device's interval pass, in virtual time.
func (v *Device) Wait(start Answer) {
	time.Sleep(time.Duration(start.Number("interval")) * time.Second)
}

// EnterCode goes to the page that the device names and enters its code there.
func (p *Person) EnterCode(start Answer) *Page {
	p.world.t.Helper()
	return p.Open(start.Text("verification_uri")).Press("Continue", "Code on your device", start.Text("user_code"))
}

// AllowDevice enters the code and allows what the device asks for.
func (p *Person) AllowDevice(start Answer) *Page {
	p.world.t.Helper()
	page := p.EnterCode(start)
	if !page.Has("Allow") {
		p.world.t.Fatalf("not asked: %d at %s\n%s", page.Status, page.URL, page.Text())
	}
	return page.Press("Allow")
}
