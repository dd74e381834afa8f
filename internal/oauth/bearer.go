package oauth

import "strings"

// Presented is the access token of a request to a protected resource.
type Presented struct {
	Token string // "" for none
	// Proved: it came by the scheme DPoP, so that a proof has to be beside it
	// (RFC 9449 section 7.1).
	Proved bool
}

// ParsePresented finds the access token of a request to a protected resource: in
// the values of the Authorization header (RFC 6750 section 2.1, RFC 9449 section
// 7.1), in those of the header x-amz-access-token, or in the parameter access_token
// (RFC 6750 sections 2.2 and 2.3; login-with-amazon.md section 11). The token is ""
// and the error nil when there is none: what to answer then is the resource's own
// affair. By which scheme it came is also told with an error.
func ParsePresented(authorization, amzAccessToken []string, p Params) (Presented, *Error) {
	if p.whole != nil {
		return Presented{}, p.whole
	}
	if err := p.refused["access_token"]; err != nil {
		return Presented{}, err
	}
	var found []Presented
	for _, header := range authorization {
		scheme, token, _ := strings.Cut(header, " ")
		proved := strings.EqualFold(scheme, "DPoP")
		if proved || strings.EqualFold(scheme, "Bearer") {
			found = append(found, Presented{strings.Trim(token, " "), proved})
		}
	}
	for _, token := range amzAccessToken {
		found = append(found, Presented{Token: strings.Trim(token, " ")})
	}
	if token := p.Value("access_token"); token != "" {
		found = append(found, Presented{Token: token})
	}
	switch len(found) {
	case 0:
		return Presented{}, nil
	case 1:
		token, err := parseAccessToken(found[0].Token)
		return Presented{token, found[0].Proved}, err
	default:
		// RFC 6750 section 2: MUST NOT use more than one method in a request.
		return Presented{}, InvalidParameter("access_token").Because("The request has an access token in more than one place.")
	}
}

// parseAccessToken checks b64token (RFC 6750 section 2.1), with the '|' that
// follows the prefix of Login with Amazon's tokens. Clients percent-encode it in
// headers too, and once too often in the query.
func parseAccessToken(s string) (string, *Error) {
	if strings.ContainsRune(s, '%') {
		s = strings.NewReplacer("%7C", "|", "%7c", "|").Replace(s)
	}
	body := strings.TrimRight(s, "=")
	if body == "" || len(s) > maxToken {
		return "", InvalidAccessToken().Because("The access token is empty or longer than any of ours.")
	}
	for i := range len(body) {
		if c := body[i]; !isUnreserved(c) && c != '+' && c != '/' && c != '|' {
			return "", InvalidAccessToken().Because("The access token has a character that no access token has.")
		}
	}
	return s, nil
}
