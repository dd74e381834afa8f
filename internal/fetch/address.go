package fetch

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

const maxAddress = 2048

// block is one that no stranger may send us to, for this reason.
type block struct {
	prefix netip.Prefix
	name   string
}

// specialUse are the blocks of IANA's registries of special-purpose addresses (RFC
// 6890) and of multicast (RFC 5771, RFC 4291). Some are globally reachable; none is
// where a client's web server would be. An IPv4 address within IPv6 is judged by
// itself when it is mapped; the ways of translation and tunnels are closed whole, as
// their other end is another address than the one that is judged.
var specialUse = []block{
	{netip.MustParsePrefix("0.0.0.0/8"), "this network (RFC 791)"},
	{netip.MustParsePrefix("10.0.0.0/8"), "private use (RFC 1918)"},
	{netip.MustParsePrefix("100.64.0.0/10"), "shared address space (RFC 6598)"},
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback (RFC 1122)"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link local (RFC 3927)"},
	{netip.MustParsePrefix("172.16.0.0/12"), "private use (RFC 1918)"},
	{netip.MustParsePrefix("192.0.0.0/24"), "protocol assignments (RFC 6890)"},
	{netip.MustParsePrefix("192.0.2.0/24"), "documentation (RFC 5737)"},
	{netip.MustParsePrefix("192.31.196.0/24"), "AS112 (RFC 7535)"},
	{netip.MustParsePrefix("192.52.193.0/24"), "AMT (RFC 7450)"},
	{netip.MustParsePrefix("192.88.99.0/24"), "6to4 relay (RFC 7526)"},
	{netip.MustParsePrefix("192.168.0.0/16"), "private use (RFC 1918)"},
	{netip.MustParsePrefix("192.175.48.0/24"), "AS112 (RFC 7534)"},
	{netip.MustParsePrefix("198.18.0.0/15"), "benchmarking (RFC 2544)"},
	{netip.MustParsePrefix("198.51.100.0/24"), "documentation (RFC 5737)"},
	{netip.MustParsePrefix("203.0.113.0/24"), "documentation (RFC 5737)"},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast (RFC 5771)"},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved, broadcast (RFC 1112, RFC 8190)"},

	{netip.MustParsePrefix("::1/128"), "loopback (RFC 4291)"},
	{netip.MustParsePrefix("::/96"), "unspecified, IPv4-compatible (RFC 4291)"},
	{netip.MustParsePrefix("64:ff9b::/96"), "IPv4 translation (RFC 6052)"},
	{netip.MustParsePrefix("64:ff9b:1::/48"), "IPv4 translation (RFC 8215)"},
	{netip.MustParsePrefix("100::/64"), "discard (RFC 6666)"},
	{netip.MustParsePrefix("100:0:0:1::/64"), "dummy prefix (RFC 9780)"},
	{netip.MustParsePrefix("2001::/23"), "protocol assignments, Teredo (RFC 2928, RFC 4380)"},
	{netip.MustParsePrefix("2001:db8::/32"), "documentation (RFC 3849)"},
	{netip.MustParsePrefix("2002::/16"), "6to4 (RFC 3056)"},
	{netip.MustParsePrefix("2620:4f:8000::/48"), "AS112 (RFC 7534)"},
	{netip.MustParsePrefix("3fff::/20"), "documentation (RFC 9637)"},
	{netip.MustParsePrefix("5f00::/16"), "segment routing (RFC 9602)"},
	{netip.MustParsePrefix("fc00::/7"), "unique local (RFC 4193)"},
	{netip.MustParsePrefix("fe80::/10"), "link local (RFC 4291)"},
	{netip.MustParsePrefix("fec0::/10"), "site local (RFC 3879)"},
	{netip.MustParsePrefix("ff00::/8"), "multicast (RFC 4291)"},
}

// globalUnicast is all of IPv6 that is assigned to the internet (RFC 4291 section
// 2.4): a special use that is registered after today is likely outside of it.
var globalUnicast = netip.MustParsePrefix("2000::/3")

// refusal says why nothing is sent to an address, "" when it may be.
func (f *Fetcher) refusal(addr netip.Addr) (reason string) {
	// No prefix contains an address with a zone, nor an IPv4 prefix a mapped one.
	addr = addr.WithZone("").Unmap()
	if f.allowLoopback && addr.IsLoopback() {
		return ""
	}
	for _, b := range specialUse {
		if b.prefix.Contains(addr) {
			return b.name
		}
	}
	if !addr.Is4() && !globalUnicast.Contains(addr) {
		return "not global unicast (RFC 4291)"
	}
	return ""
}

// Check says what is wrong with an address before anything is resolved, for whoever
// is about to register it. Get and PostForm check again. Its errors are *[Error].
func (f *Fetcher) Check(address string) error {
	_, err := f.parse(address)
	return err
}

func (f *Fetcher) parse(address string) (*url.URL, error) {
	// A character that two readers may take for different ones has no place here,
	// and international names have an ASCII form (RFC 5890).
	foreign := func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '\\' }
	switch {
	case len(address) > maxAddress:
		return nil, refuse("The address has more than %d characters.", maxAddress)
	case strings.ContainsFunc(address, foreign):
		return nil, refuse("The address has a space, a backslash or a character that is not ASCII. Percent-encode those of the path, and write the host in its form with xn--.")
	case strings.Contains(address, "#"):
		return nil, refuse("The address has a fragment (#), which would not be sent.")
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Opaque != "" || u.Hostname() == "":
		return nil, refuse("This is not a whole address, such as https://app.example.com/path.")
	case u.User != nil:
		return nil, refuse("The address has a user name or password before the host.")
	}
	if problem := f.checkHost(u.Hostname()); problem != "" {
		return nil, refuse("%s", problem)
	}
	if u.Port() != "" || strings.HasSuffix(u.Host, ":") {
		if n, err := strconv.ParseUint(u.Port(), 10, 16); err != nil || n == 0 {
			return nil, refuse("The port of the address is not a number from 1 to 65535.")
		}
	}
	if u.Scheme != "https" && !(u.Scheme == "http" && f.allowLoopback && onLoopback(u.Hostname())) {
		return nil, refuse("The address has to begin with https://.")
	}
	return u, nil
}

// checkHost says what is wrong with a host, "" when nothing is. Only its spelling
// counts here: where a name leads is judged at the connection.
func (f *Fetcher) checkHost(host string) (problem string) {
	addr, err := netip.ParseAddr(host)
	if err == nil && addr.Zone() == "" {
		if f.refusal(addr) != "" {
			return fmt.Sprintf("%s is not an address on the public internet.", addr)
		}
		return ""
	}
	labels := strings.Split(strings.ToLower(host), ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return "The host of the address is neither a name, such as app.example.com, nor an IP address."
		}
	}
	// 2130706433, 0x7f.1 and 0177.0.0.1 are addresses to some resolvers.
	last := labels[len(labels)-1]
	if strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x") {
		return "An IP address has to be written as four numbers from 0 to 255 without leading zeros."
	}
	return ""
}

func onLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
