package limit

import (
	"net/netip"
	"slices"
	"strings"
)

// ClientAddress is the address that a request came from: the peer of the connection,
// or, when that is a trusted proxy, the nearest address of X-Forwarded-For that is
// none. The header is read from its end, where trusted proxies add, because everything
// before the first address that they did not add is what the client claims.
//
// remoteAddr is http.Request.RemoteAddr, forwardedFor all values of the header. The
// zero Addr means that the peer has no IP address, as on a Unix socket.
func ClientAddress(remoteAddr string, forwardedFor []string, trusted []netip.Prefix) netip.Addr {
	client := parseAddress(remoteAddr)
	isTrusted := func(a netip.Addr) bool {
		return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	for _, line := range slices.Backward(forwardedFor) {
		for line != "" {
			if !isTrusted(client) {
				return client
			}
			comma := strings.LastIndexByte(line, ',')
			next := parseAddress(strings.TrimSpace(line[comma+1:]))
			if !next.IsValid() {
				// A trusted proxy wrote what is no address ("unknown", a host name): what
				// stands before it cannot be told from a claim.
				return client
			}
			client, line = next, line[:max(comma, 0)]
		}
	}
	return client
}

// parseAddress reads an address with or without a port, in brackets or not, in the
// one spelling in which prefixes contain it: no IPv4 in IPv6, no zone.
func parseAddress(s string) netip.Addr {
	if withPort, err := netip.ParseAddrPort(s); err == nil {
		return withPort.Addr().Unmap().WithZone("")
	}
	if inner, ok := strings.CutPrefix(s, "["); ok {
		s = strings.TrimSuffix(inner, "]")
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}
