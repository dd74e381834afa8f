package registry

import "strings"

// Limits of allowed origins.
const (
	MaxOrigins     = 50
	OriginMaxBytes = 300
)

// AllowedOrigin is a web origin whose pages may call the server from a browser: scheme, host, and a port when it is
// not the scheme's own (RFC 6454 section 6.2), with the developer's own note about it.
type AllowedOrigin struct{ Value, Note string }

// ParseAllowedOrigin accepts an origin as browsers send it in the Origin header, and never rewrites.
func ParseAllowedOrigin(s string) (AllowedOrigin, *URLProblem) {
	problem := checkOrigin(s)
	if problem == "" {
		return AllowedOrigin{Value: s}, nil
	}
	return AllowedOrigin{}, &URLProblem{problem, suggest(s, OriginMaxBytes, repairOrigin, checkOrigin)}
}

func checkOrigin(s string) (problem string) {
	// An opaque origin is that of any sandboxed frame or local file, so allowing it would allow everyone.
	if strings.EqualFold(strings.TrimSpace(s), "null") {
		return "Write the origin of your own page, such as https://www.example.com: “null” stands for any page that hides where it is from."
	}
	a, problem := checkAddress(s, OriginMaxBytes)
	switch {
	case problem != "":
		return problem
	case a.path != "" || a.hasQuery || a.hasFragment:
		return "Write only scheme, host and port, without what follows them: an origin ends before the first “/”."
	}
	return ""
}

func repairOrigin(s string) string {
	a, _ := cutAddress(repairAddress(s))
	a.path, a.query, a.hasQuery = "", "", false
	return a.String()
}
