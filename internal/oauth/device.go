package oauth

// DeviceRequest is a device's request for a pair of codes (RFC 8628 section 3.1,
// login-with-amazon.md section 9), without the client's credentials.
type DeviceRequest struct {
	// Scope is in the order sent, each once.
	Scope []string
	// ScopeData has entries for scopes of Scope only.
	ScopeData map[string]ScopeDatum
}

// ParseDeviceRequest reads a form, or a body that [ParseJSON] has read.
func ParseDeviceRequest(p Params, d Dialect) (DeviceRequest, *Error) {
	if err := p.refusal(); err != nil {
		return DeviceRequest{}, err
	}
	if d == LoginWithAmazon {
		switch responseType, err := p.required("response_type"); {
		case err != nil:
			return DeviceRequest{}, err
		case responseType != bareDeviceCode:
			return DeviceRequest{}, InvalidParameter("response_type").Because("The response_type of a device's request must be device_code.")
		}
	}
	var r DeviceRequest
	var err *Error
	if r.Scope, err = requestedScope(p, d); err != nil {
		return DeviceRequest{}, err
	}
	if r.ScopeData, err = parseScopeData(p.Value("scope_data"), r.Scope); err != nil {
		return DeviceRequest{}, err
	}
	return r, nil
}
