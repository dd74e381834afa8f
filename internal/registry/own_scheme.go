package registry

import "strings"

// Native applications have two ways back that web applications have not (RFC 8252 section 7): a scheme that the system
// opens them for, and a port of the user's own computer that is only known when the application runs.

// cutOwnScheme cuts an address such as com.example.app:/callback at its first colon. ok is false for addresses that are
// of the web, meant to be, or none: www.example.com:8443 has a port after its colon.
func cutOwnScheme(s string) (scheme, rest string, ok bool) {
	scheme, rest, ok = strings.Cut(s, ":")
	switch strings.ToLower(scheme) {
	case "", "http", "https":
		return "", "", false
	}
	if !ok || strings.ContainsAny(scheme, "/?#@[") || rest != "" && '0' <= rest[0] && rest[0] <= '9' {
		return "", "", false
	}
	return scheme, rest, true
}

// checkOwnScheme holds the rules for private-use schemes (RFC 8252 section 7.1). A dot is required: the names of all
// schemes that a browser acts upon itself (javascript, data, file, blob and the like) have none, and a name under a
// domain of one's own is less likely to be another application's too.
func checkOwnScheme(s string) (problem string) {
	if problem := checkCharacters(s, ReturnURLMaxBytes); problem != "" {
		return problem
	}
	scheme, rest, _ := cutOwnScheme(s)
	lower := strings.ToLower(scheme)
	switch {
	case !isReverseDomain(lower):
		return "Begin with https://, with http:// for the user’s own computer, or with a domain name of yours turned around, as in com.example.app:/callback; other schemes are not accepted."
	case lower != scheme:
		return "Write " + lower + " in lower case."
	case !strings.HasPrefix(rest, "/") || strings.HasPrefix(rest, "//"):
		// There is no host to name (RFC 8252 section 7.1, RFC 3986 section 3.2).
		return "Write exactly one “/” after “" + scheme + ":”, as in " + scheme + ":/callback."
	}
	a, _ := cutWithoutHost(s)
	return checkParts(a)
}

// cutWithoutHost cuts s as an address whose path follows its scheme (RFC 3986 section 3, path-absolute).
func cutWithoutHost(s string) (a address, ok bool) {
	a.scheme, a.path, ok = strings.Cut(s, ":")
	a.path, a.fragment, a.hasFragment = strings.Cut(a.path, "#")
	a.path, a.query, a.hasQuery = strings.Cut(a.path, "?")
	return a, ok
}

// isReverseDomain reports whether a scheme is a domain name turned around: labels of a host name, two at least, in what
// RFC 3986 section 3.1 has for schemes.
func isReverseDomain(scheme string) bool {
	labels := strings.Split(scheme, ".")
	for _, label := range labels {
		if label == "" || strings.Trim(label, lowerAlphanumeric+"-") != "" || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
	}
	return len(labels) > 1 && 'a' <= scheme[0] && scheme[0] <= 'z'
}

// repairOwnScheme guesses as [repairAddress] does.
func repairOwnScheme(s string) string {
	a, ok := cutWithoutHost(repairCharacters(s))
	if !ok {
		return ""
	}
	repaired := strings.ToLower(a.scheme) + ":" + removeDotSegments(escape(repairDots.Replace("/"+strings.TrimLeft(a.path, "/")), "/"))
	if a.query != "" {
		repaired += "?" + escape(a.query, "/?")
	}
	return repaired
}

// UsesOwnScheme reports whether a return URL is one that only native applications may have.
func (u ReturnURL) UsesOwnScheme() bool {
	_, _, ok := cutOwnScheme(u.Value)
	return ok
}

// isOtherPort reports whether sent is the registered address of the user's own computer but for its port, which an
// application gets from the system each time it listens (RFC 8252 section 7.3). All else is compared byte for byte: host
// and query too (CVE-2020-15233), and sent has to be an address that could be registered.
func isOtherPort(registered, sent string) bool {
	r, ok := cutAddress(registered)
	if !ok || r.scheme != "http" || !isLoopback(r.host) || checkReturnURL(sent) != "" {
		return false
	}
	s, ok := cutAddress(sent)
	s.port, s.hasPort = r.port, r.hasPort
	return ok && s == r
}
