package oauth

import "strings"

// ParseBearer finds the access token of a request to a protected resource: in
// the values of the Authorization header (RFC 6750 section 2.1), in those of the
// header x-amz-access-token, or in the parameter access_token (RFC 6750 sections
// 2.2 and 2.3; login-with-amazon.md section 11). The token is "" and the error
// nil when there is none: what to answer then is the resource's own affair.
func ParseBearer(authorization, amzAccessToken []string, p Params) (string, *Error) {
	if p.whole != nil {
		return "", p.whole
	}
	if err := p.refused["access_token"]; err != nil {
		return "", err
	}
	var found []string
	for _, header := range authorization {
		scheme, token, _ := strings.Cut(header, " ")
		if strings.EqualFold(scheme, "Bearer") {
			found = append(found, strings.Trim(token, " "))
		}
	}
	for _, token := range amzAccessToken {
		found = append(found, strings.Trim(token, " "))
	}
	if token := p.Value("access_token"); token != "" {
		found = append(found, token)
	}
	switch len(found) {
	case 0:
		return "", nil
	case 1:
		return parseBearerToken(found[0])
	default:
		// RFC 6750 section 2: MUST NOT use more than one method in a request.
		return "", InvalidParameter("access_token").Because("The request has an access token in more than one place.")
	}
}

// parseBearerToken checks b64token (RFC 6750 section 2.1), with the '|' that
// follows the prefix of Login with Amazon's tokens. Clients percent-encode it in
// headers too, and once too often in the query.
func parseBearerToken(s string) (string, *Error) {
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
