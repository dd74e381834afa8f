package oidc

import (
	"encoding/json"
	"fmt"

	"gatelodge/internal/oauth"
)

// ClaimsRequest is what the parameter claims asks for (Core section 5.5), as far
// as it is known here: members that are not understood are ignored.
type ClaimsRequest struct {
	UserInfo ClaimSet
	IDToken  ClaimSet
	// Essential are those of either that the client says it needs. They may be
	// denied all the same (Core section 5.5.1).
	Essential ClaimSet
	// AuthTime says that the ID token has to tell when the user signed in.
	AuthTime bool
	// Subjects are the users of whom it must be one; nil means anyone.
	Subjects []string
	// ACR are the classes of authentication in order of preference. Unless
	// ACREssential, another will do.
	ACR          []string
	ACREssential bool
}

const (
	maxClaims      = 8 << 10
	maxClaimValues = 20
	maxClaimValue  = 256
)

// demand is what is said about one claim; nothing, when it is null.
type demand struct {
	essential bool
	values    []string // those that are strings
}

// ParseClaims reads the parameter; "" asks for nothing.
func ParseClaims(value string) (ClaimsRequest, *oauth.Error) {
	if value == "" {
		return ClaimsRequest{}, nil
	}
	if len(value) > maxClaims {
		return ClaimsRequest{}, refuseClaims(fmt.Sprintf("The claims are %d bytes long; at most %d are read.", len(value), maxClaims))
	}
	members, ok := object([]byte(value))
	if !ok {
		return ClaimsRequest{}, refuseClaims("The claims are not a JSON object.")
	}
	userInfo, err := demands("userinfo", members)
	if err != nil {
		return ClaimsRequest{}, err
	}
	idToken, err := demands("id_token", members)
	if err != nil {
		return ClaimsRequest{}, err
	}
	var r ClaimsRequest
	r.UserInfo, r.Essential = known(userInfo)
	inToken, essential := known(idToken)
	r.IDToken, r.Essential = inToken, r.Essential|essential
	_, r.AuthTime = idToken["auth_time"]
	r.ACR, r.ACREssential = idToken["acr"].values, idToken["acr"].essential
	r.Subjects = idToken["sub"].values
	if r.Subjects == nil {
		r.Subjects = userInfo["sub"].values
	}
	return r, nil
}

func known(demands map[string]demand) (all, essential ClaimSet) {
	for name, d := range demands {
		claim := ClaimNamed(name)
		all |= claim
		if d.essential {
			essential |= claim
		}
	}
	return all, essential
}

// demands reads one member of the claims, such as
// {"email":null,"acr":{"essential":true,"values":["a","b"]}}.
func demands(member string, members map[string]json.RawMessage) (map[string]demand, *oauth.Error) {
	raw, ok := members[member]
	if !ok || isNull(raw) {
		return nil, nil
	}
	claims, ok := object(raw)
	if !ok {
		return nil, refuseClaims("The member " + member + " of the claims is not a JSON object.")
	}
	all := make(map[string]demand, len(claims))
	for name, raw := range claims {
		if isNull(raw) {
			all[name] = demand{}
			continue
		}
		fields, ok := object(raw)
		if !ok {
			return nil, refuseClaims("A claim of the member " + member + " is neither null nor a JSON object.")
		}
		d, err := parseDemand(fields)
		if err != nil {
			return nil, err
		}
		all[name] = d
	}
	return all, nil
}

func parseDemand(fields map[string]json.RawMessage) (demand, *oauth.Error) {
	var d demand
	if raw, ok := fields["essential"]; ok {
		if err := json.Unmarshal(raw, &d.essential); err != nil {
			return demand{}, refuseClaims("A member essential of the claims is neither true nor false.")
		}
	}
	// Values have the type of their claim, so those that are no strings are for
	// claims that are not compared here.
	var values []json.RawMessage
	if raw, ok := fields["values"]; ok {
		if err := json.Unmarshal(raw, &values); err != nil {
			return demand{}, refuseClaims("A member values of the claims is not an array.")
		}
	}
	if raw, ok := fields["value"]; ok {
		values = append(values, raw)
	}
	if len(values) > maxClaimValues {
		return demand{}, refuseClaims(fmt.Sprintf("A claim has more than %d values.", maxClaimValues))
	}
	for _, raw := range values {
		var text *string
		if err := json.Unmarshal(raw, &text); err != nil || text == nil {
			continue
		}
		if len(*text) > maxClaimValue {
			return demand{}, refuseClaims(fmt.Sprintf("A value of a claim is longer than %d bytes.", maxClaimValue))
		}
		d.values = append(d.values, *text)
	}
	return d, nil
}

// object reads a JSON object into a map, because struct fields would match in any
// case of letters.
func object(raw []byte) (map[string]json.RawMessage, bool) {
	var members map[string]json.RawMessage
	err := json.Unmarshal(raw, &members)
	return members, err == nil && members != nil
}

func isNull(raw json.RawMessage) bool { return string(raw) == "null" }

func refuseClaims(reason string) *oauth.Error {
	return oauth.InvalidParameter("claims").Because(reason)
}
