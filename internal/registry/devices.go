package registry

import "strings"

// MaxDevices is how many client IDs for devices a profile can have.
const MaxDevices = 20

// FieldDeviceName is the one field of the form that makes a client ID for devices.
const FieldDeviceName = "device_name"

// ParseDeviceName checks the developer's own word for a client ID of devices
// (login-with-amazon.md 2.7), trimmed of surrounding white space. Names need not
// differ: the client IDs do.
func ParseDeviceName(s string) (string, FieldErrors) {
	s = strings.TrimSpace(s)
	message, suggestion := checkProfileText(s, NameMaxChars, "Write a name that tells which devices use this client ID, such as “Living room TV app”.")
	if message != "" {
		return "", FieldErrors{{FieldDeviceName, message, suggestion}}
	}
	return s, nil
}
