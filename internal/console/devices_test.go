package console

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"gatelodge/internal/audit"
	"gatelodge/internal/registry"
)

func (p *person) addDevice(profile registry.SecurityProfile, name string) answer {
	p.t.Helper()
	return p.post(devicesPath(profile), url.Values{"device_name": {name}})
}

func TestDevices(t *testing.T) {
	ada := newWorld(t).developerNamed("Ada")
	profile := ada.profileNamed("App")
	path := devicesPath(profile)
	ada.get(path).want(200, "TVs and Other Devices", "None yet.", ">Client ID name</label>", ">Generate<", "client_id=CLIENT_ID",
		"/auth/o2/create/codepair", "grant_type=device_code", "user_code=$USER_CODE")
	saved := ada.get(ada.addDevice(profile, " Living room <TV> ").location()).want(200, "Living room &lt;TV&gt;", "Saved", "In effect here now")
	profile = ada.reload(profile)
	if len(profile.Devices) != 1 || profile.Devices[0].Name != "Living room <TV>" {
		t.Fatalf("%+v", profile.Devices)
	}
	id := registry.Namespace("amzn1").ClientID(profile.Devices[0].Client)
	saved.want(200, `data-copy-text="`+id+`"`, "client_id="+id).lacks("None yet.", "CLIENT_ID=")

	remove := fmt.Sprintf("%s/%d/remove", path, profile.Devices[0].ID)
	ada.get(remove).want(200, "Remove the client ID", id, "its access and refresh tokens end", "cannot be brought back")
	ada.get(ada.post(remove, nil).location()).want(200, "None yet.")
	if after := ada.reload(profile); len(after.Devices) != 0 {
		t.Errorf("%+v", after.Devices)
	}
	ada.get(remove).want(404, "no such client ID for devices")
	ada.post(remove, nil).want(404)
	for kind, words := range map[audit.Kind]string{audit.DeviceAdded: "Device client ID made", audit.DeviceRemoved: "Device client ID removed"} {
		if n := ada.events(profile, kind); n != 1 {
			t.Errorf("%d events %s", n, kind)
		}
		ada.get(profilePath(profile)+"/activity").want(200, words)
	}
}

func TestDevicesRefused(t *testing.T) {
	wd := newWorld(t)
	ada, eve := wd.developerNamed("Ada"), wd.developerNamed("Eve")
	profile := ada.profileNamed("App")
	for name, want := range map[string]string{
		"": "Write a name that tells which devices", "  ": "Write a name", strings.Repeat("a", 51): "50", "a\x00b": "", "\u200b": "Write a name",
	} {
		ada.addDevice(profile, name).want(422, want)
	}
	eve.addDevice(profile, "TV").want(404)
	for range registry.MaxDevices {
		ada.addDevice(profile, "TV").want(303)
	}
	ada.addDevice(profile, "TV").want(409, "20 client IDs for devices already")
	ada.get(devicesPath(profile)).want(200, "which is the most").lacks(">Generate<")
	profile = ada.reload(profile)
	if len(profile.Devices) != registry.MaxDevices {
		t.Errorf("%d devices", len(profile.Devices))
	}
	remove := fmt.Sprintf("%s/%d/remove", devicesPath(profile), profile.Devices[3].ID)
	eve.get(remove).want(404)
	eve.post(remove, nil).want(404)
	other := ada.profileNamed("Other")
	ada.post(fmt.Sprintf("%s/%d/remove", devicesPath(other), profile.Devices[3].ID), nil).want(404)
	for _, id := range []string{"x", "0", "-1", "99999999999999999999"} {
		ada.get(devicesPath(profile) + "/" + id + "/remove").want(404)
	}
	if after := ada.reload(profile); len(after.Devices) != registry.MaxDevices {
		t.Errorf("%d devices", len(after.Devices))
	}
}

func TestDevicesComeBackThroughSignIn(t *testing.T) {
	ada := newWorld(t).developerNamed("Ada")
	profile := ada.profileNamed("App")
	ada.post(devicesPath(profile), url.Values{"typed": {"x"}}).want(303) // what cannot be opened is dropped
}
