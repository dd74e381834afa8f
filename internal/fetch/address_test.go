package fetch

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

// TestRefusal has an address of each block of IANA's registries, at its ends.
func TestRefusal(t *testing.T) {
	public, local := New(Options{}), New(Options{AllowLoopback: true})
	for _, s := range []string{
		"0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.1", "100.127.255.255",
		"169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.170", "192.0.2.1", "192.31.196.1",
		"192.52.193.1", "192.88.99.1", "192.168.0.1", "192.168.255.255", "192.175.48.1", "198.18.0.1", "198.19.255.255",
		"198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"::", "::2", "::7f00:1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0.0.0.0", "::ffff:0:127.0.0.1",
		"64:ff9b::10.0.0.1", "64:ff9b::8.8.8.8", "64:ff9b:1::1", "100::1", "100:0:0:1::1", "2001::1", "2001:1ff:ffff::1",
		"2001:db8::1", "2002:a00:1::", "2002:808:808::1", "2620:4f:8000::1", "3fff::1", "3fff:fff::1", "5f00::1",
		"fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "febf::1", "fec0::1", "feff::1", "ff02::1", "ff0e::1",
		"200::1", "4000::1", "8000::1",
	} {
		for _, f := range []*Fetcher{public, local} {
			if f.refusal(netip.MustParseAddr(s)) == "" {
				t.Errorf("%s is taken (loopback allowed: %t)", s, f.allowLoopback)
			}
		}
	}
	if got, want := public.refusal(netip.MustParseAddr("fe80::1%eth0")), "link local (RFC 4291)"; got != want {
		t.Errorf("an address with a zone: %q, want %q", got, want)
	}
	for _, s := range []string{"127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1", "::1%lo"} {
		if public.refusal(netip.MustParseAddr(s)) == "" {
			t.Errorf("%s is taken", s)
		}
		if reason := local.refusal(netip.MustParseAddr(s)); reason != "" {
			t.Errorf("%s is refused to a server on loopback: %s", s, reason)
		}
	}
	for _, s := range []string{
		"1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1",
		"172.15.255.255", "172.32.0.0", "192.0.1.0", "192.0.3.0", "198.17.255.255", "198.20.0.0", "223.255.255.255",
		"::ffff:1.1.1.1", "2001:200::1", "2001:db7::1", "2001:db9::1", "2003::1", "2606:4700::1111", "3ffe::1",
	} {
		if reason := public.refusal(netip.MustParseAddr(s)); reason != "" {
			t.Errorf("%s is refused: %s", s, reason)
		}
	}
}

const (
	notWhole    = "This is not a whole address, such as https://app.example.com/path."
	notHTTPS    = "The address has to begin with https://."
	characters  = "The address has a space, a backslash or a character that is not ASCII. Percent-encode those of the path, and write the host in its form with xn--."
	notHost     = "The host of the address is neither a name, such as app.example.com, nor an IP address."
	notNumbers  = "An IP address has to be written as four numbers from 0 to 255 without leading zeros."
	notPort     = "The port of the address is not a number from 1 to 65535."
	hasUser     = "The address has a user name or password before the host."
	hasFragment = "The address has a fragment (#), which would not be sent."
)

func TestCheck(t *testing.T) {
	for address, want := range map[string]struct{ public, onLoopback string }{
		"https://app.example.com":               {},
		"https://app.example.com/jwks?a=b%20c":  {},
		"https://APP.example.com:8443/":         {},
		"HTTPS://app.example.com":               {},
		"https://xn--bcher-kva.example/":        {},
		"https://a_b.example.com":               {},
		"https://1.1.1.1/":                      {},
		"https://[2606:4700::1111]:8443/":       {},
		"https://localhost/":                    {}, // where it leads is seen when it is resolved
		"https://127.0.0.1:8443":                {public: "127.0.0.1 is not an address on the public internet."},
		"https://[::1]/":                        {public: "::1 is not an address on the public internet."},
		"http://localhost:8080/jwks":            {public: notHTTPS},
		"http://127.0.0.1:8080/jwks":            {public: "127.0.0.1 is not an address on the public internet."},
		"http://[::1]:8080/jwks":                {public: "::1 is not an address on the public internet."},
		"http://app.example.com":                {notHTTPS, notHTTPS},
		"http://localhost.example.com":          {notHTTPS, notHTTPS},
		"http://1.1.1.1":                        {notHTTPS, notHTTPS},
		"https://10.0.0.1/":                     {"10.0.0.1 is not an address on the public internet.", "10.0.0.1 is not an address on the public internet."},
		"https://169.254.169.254/latest":        {"169.254.169.254 is not an address on the public internet.", "169.254.169.254 is not an address on the public internet."},
		"https://[::ffff:10.0.0.1]/":            {"::ffff:10.0.0.1 is not an address on the public internet.", "::ffff:10.0.0.1 is not an address on the public internet."},
		"https://[fe80::1%25eth0]/":             {notHost, notHost},
		"https://2130706433/":                   {notNumbers, notNumbers},
		"https://0x7f000001/":                   {notNumbers, notNumbers},
		"https://0x7f.1/":                       {notNumbers, notNumbers},
		"https://0177.0.0.1/":                   {notNumbers, notNumbers},
		"https://127.1/":                        {notNumbers, notNumbers},
		"https://127.0.0.1./":                   {notHost, notHost},
		"https://127.0.0.1.1/":                  {notNumbers, notNumbers},
		"https://app..example.com/":             {notHost, notHost},
		"https://app.example.com./":             {notHost, notHost},
		"https://app.example.com,10.0.0.1/":     {notHost, notHost},
		"https://exa%6dple.com/":                {notWhole, notWhole},
		"https://ex%C3%A4mple.com/":             {notHost, notHost},
		"https://bücher.example/":               {characters, characters},
		"https://①②⑦.0.0.1/":                    {characters, characters},
		"https://app.example.com\\@10.0.0.1/":   {characters, characters},
		"https://app.example.com/a b":           {characters, characters},
		" https://app.example.com":              {characters, characters},
		"https://app.example.com/\r\nX: y":      {characters, characters},
		"https://user@app.example.com/":         {hasUser, hasUser},
		"https://u:p@10.0.0.1/":                 {hasUser, hasUser},
		"https://@app.example.com/":             {hasUser, hasUser},
		"https://app.example.com/#a":            {hasFragment, hasFragment},
		"https://app.example.com/#":             {hasFragment, hasFragment},
		"https://app.example.com:/":             {notPort, notPort},
		"https://app.example.com:0/":            {notPort, notPort},
		"https://app.example.com:65536/":        {notPort, notPort},
		"https://app.example.com:http/":         {notWhole, notWhole},
		"https:///path":                         {notWhole, notWhole},
		"https:app.example.com":                 {notWhole, notWhole},
		"//app.example.com/":                    {notHTTPS, notHTTPS},
		"app.example.com":                       {notWhole, notWhole},
		"":                                      {notWhole, notWhole},
		"file:///etc/passwd":                    {notWhole, notWhole},
		"file://localhost/etc/passwd":           {notHTTPS, notHTTPS},
		"gopher://app.example.com/":             {notHTTPS, notHTTPS},
		"data:application/json,{}":              {notWhole, notWhole},
		"ftp://localhost/":                      {notHTTPS, notHTTPS},
		"https://a.example/" + longPath(2048):   {"The address has more than 2048 characters.", "The address has more than 2048 characters."},
		"https://" + longPath(64) + ".example/": {notHost, notHost},
	} {
		if got := words(t, New(Options{}).Check(address)); got != want.public {
			t.Errorf("%q: %q, want %q", address, got, want.public)
		}
		if got := words(t, New(Options{AllowLoopback: true}).Check(address)); got != want.onLoopback {
			t.Errorf("on loopback: %q: %q, want %q", address, got, want.onLoopback)
		}
	}
}

func longPath(n int) string { return strings.Repeat("a", n) }

// words are what the owner of an address reads, "" without an error.
func words(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("%T %v, want a *fetch.Error", err, err)
	}
	return e.Words
}

// FuzzCheck: what is accepted is one address to every reader, and of a kind that may
// be asked.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{
		"https://app.example.com/jwks", "http://localhost:8080", "http://[::1]:1/x", "https://user@host/", "https://2130706433/",
		"https://[::ffff:10.0.0.1]/", "https://a:80:90/", "https://h/%zz", "https://h?#", "https://[1.2.3.4]:5",
	} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, address string, allowLoopback bool) {
		fetcher := New(Options{AllowLoopback: allowLoopback})
		if err := fetcher.Check(address); err != nil {
			if e, ok := errors.AsType[*Error](err); !ok || e.Words == "" {
				t.Fatalf("%q: %#v", address, err)
			}
			return
		}
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Opaque != "" {
			t.Errorf("%q: %#v", address, u)
		}
		if u.Scheme != "https" && !(allowLoopback && u.Scheme == "http" && onLoopback(u.Hostname())) {
			t.Errorf("%q: scheme %q", address, u.Scheme)
		}
		if addr, err := netip.ParseAddr(u.Hostname()); err == nil && fetcher.refusal(addr) != "" {
			t.Errorf("%q: leads to %s", address, addr)
		}
		// What is sent is what was checked.
		if err := fetcher.Check(u.String()); err != nil && len(u.String()) <= maxAddress {
			t.Errorf("%q is taken, its other spelling %q is not: %v", address, u.String(), err)
		}
	})
}
