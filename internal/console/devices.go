package console

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"gatelodge/internal/registry"
	"gatelodge/internal/store"
	"gatelodge/internal/web"
)

const labelDeviceName = "Client ID name"

type devicesPage struct {
	Head    head
	Path    string
	Devices []deviceRow
	Form    *web.Form
	// Full: there is no room for another.
	Full bool
	Max  int
	Try  deviceTry
}

type deviceRow struct {
	Name, ClientID, Path string
	Created              time.Time
}

// deviceTry are the requests of a device, finished for the newest of the client IDs.
type deviceTry struct{ Start, Poll, Refresh string }

func devicesPath(p registry.SecurityProfile) string { return profilePath(p) + string(tabDevices) }

func (s *Surface) showDevices(w http.ResponseWriter, r *http.Request, v visit) error {
	p, err := s.profile(r, v)
	if err != nil {
		return err
	}
	return s.renderDevices(w, r, v, http.StatusOK, p, web.NewForm(nil), savedFlash(r, p, v.now))
}

func (s *Surface) showDevicesTyped(w http.ResponseWriter, r *http.Request, v visit, typed url.Values) error {
	p, err := s.profile(r, v)
	if err != nil {
		return err
	}
	if typed == nil {
		return redirect(w, r, devicesPath(p))
	}
	return s.renderDevices(w, r, v, http.StatusOK, p, web.NewForm(typed), typedFlash)
}

func (s *Surface) renderDevices(w http.ResponseWriter, r *http.Request, v visit, status int, p registry.SecurityProfile, form *web.Form, flash *web.Flash) error {
	page := devicesPage{
		Head: newHead(p, tabDevices), Path: devicesPath(p), Form: form,
		Full: len(p.Devices) >= registry.MaxDevices, Max: registry.MaxDevices, Try: s.tryDevice("CLIENT_ID"),
	}
	for _, d := range slices.Backward(p.Devices) { // the newest first
		id := s.Namespace.ClientID(d.Client)
		page.Devices = append(page.Devices, deviceRow{
			Name: d.Name, ClientID: id, Path: page.Path + "/" + strconv.FormatInt(d.ID, 10), Created: d.CreatedAt,
		})
	}
	if len(page.Devices) > 0 {
		page.Try = s.tryDevice(page.Devices[0].ClientID)
	}
	return s.render(w, r, v, status, "devices", "TVs and Other Devices · "+p.Name, flash, page)
}

// tryDevice are the commands of a device that speaks Login with Amazon's dialect.
func (s *Surface) tryDevice(clientID string) deviceTry {
	post := func(path string, form ...parameter) string {
		return call{method: http.MethodPost, url: s.Issuer + path, form: form}.curl()
	}
	id := parameter{"client_id", fixed(clientID)}
	return deviceTry{
		Start: post(codePairPath, parameter{"response_type", fixed("device_code")}, id, parameter{"scope", fixed(previewScope)}),
		Poll: post(tokenPath, parameter{"grant_type", fixed("device_code")},
			parameter{"device_code", held(varDeviceCode)}, parameter{"user_code", held("USER_CODE")}),
		Refresh: post(tokenPath, parameter{"grant_type", fixed("refresh_token")}, id, parameter{"refresh_token", held(varRefresh)}),
	}
}

// codePairPath is where devices of Login with Amazon get their codes.
const codePairPath = "/auth/o2/create/codepair"

// addDevice makes a client ID for devices.
func (s *Surface) addDevice(w http.ResponseWriter, r *http.Request, v visit) error {
	p, err := s.profile(r, v)
	if err != nil {
		return err
	}
	form, err := web.ParseForm(r)
	if err != nil {
		return err
	}
	if form.TakeSuggestion() {
		return s.renderDevices(w, r, v, http.StatusOK, p, form, nil)
	}
	name, problems := registry.ParseDeviceName(form.Values.Get(registry.FieldDeviceName))
	for _, f := range problems {
		form.Suggest(f.Field, f.Message, f.Suggestion)
	}
	if !form.OK() {
		return s.renderDevices(w, r, v, http.StatusUnprocessableEntity, p, form, nil)
	}
	_, err = s.Store.AddDevice(r.Context(), v.developer.ID, p.ID, name, s.Sessions.By(r, v.User, v.now))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return noProfile()
	case errors.Is(err, store.ErrTooMany):
		return s.renderDevices(w, r, v, http.StatusConflict, p, form, &web.Flash{
			Kind: web.Danger, Title: "There are " + strconv.Itoa(registry.MaxDevices) + " client IDs for devices already",
			Detail: "Remove one that no device uses any more; then there is room for another.",
		})
	case err != nil:
		return err
	}
	return redirect(w, r, s.savedPath(devicesPath(p), p.Version))
}

type deviceRemovePage struct {
	Head   head
	Back   string
	Device deviceRow
}

// device finds the profile and the device client of it that the address names.
func (s *Surface) device(r *http.Request, v visit) (registry.SecurityProfile, registry.DeviceClient, error) {
	p, err := s.profile(r, v)
	if err != nil {
		return p, registry.DeviceClient{}, err
	}
	id, err := strconv.ParseInt(r.PathValue("device"), 10, 64)
	i := slices.IndexFunc(p.Devices, func(d registry.DeviceClient) bool { return d.ID == id })
	if err != nil || i < 0 {
		return p, registry.DeviceClient{}, noDevice(p)
	}
	return p, p.Devices[i], nil
}

func noDevice(p registry.SecurityProfile) error {
	return web.NotFound("This profile has no such client ID for devices. It may have been removed.",
		web.Link{Text: "Its TVs and Other Devices", URL: devicesPath(p)})
}

// showRemoveDevice says what ends with a client ID.
func (s *Surface) showRemoveDevice(w http.ResponseWriter, r *http.Request, v visit) error {
	p, d, err := s.device(r, v)
	if err != nil {
		return err
	}
	return s.render(w, r, v, http.StatusOK, "device_remove", "Remove a client ID · "+p.Name, nil, deviceRemovePage{
		Head: newHead(p, tabDevices), Back: devicesPath(p),
		Device: deviceRow{Name: d.Name, ClientID: s.Namespace.ClientID(d.Client), Path: r.URL.Path, Created: d.CreatedAt},
	})
}

func (s *Surface) removeDevice(w http.ResponseWriter, r *http.Request, v visit) error {
	p, d, err := s.device(r, v)
	if err != nil {
		return err
	}
	err = s.Store.RemoveDevice(r.Context(), v.developer.ID, p.ID, d.ID, s.Sessions.By(r, v.User, v.now))
	if errors.Is(err, store.ErrNotFound) {
		return noDevice(p)
	}
	if err != nil {
		return err
	}
	return redirect(w, r, s.savedPath(devicesPath(p), p.Version))
}
