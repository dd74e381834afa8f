package config

import (
	"net/url"
	"strings"
	"testing"
)

func TestIssuer(t *testing.T) {
	const must = "--issuer: write the public base URL, such as https://id.example.com"
	spelling := func(value, write string) string {
		return `--issuer: "` + value + `": no path, query or fragment, and the usual spelling: write ` + write
	}
	for _, tc := range []struct{ value, want string }{
		{"https://id.example.com", ""},
		{"https://id.example.com:8443", ""},
		{"http://localhost:8080", ""},
		{"https://localhost", ""},
		{"http://127.0.0.2:80", spelling("http://127.0.0.2:80", "http://127.0.0.2")},
		{"http://[::1]:8080", ""},
		{"https://xn--bcher-kva.example", ""},
		{"https://id.example.com/", spelling("https://id.example.com/", "https://id.example.com")},
		{"https://id.example.com/base/", spelling("https://id.example.com/base/", "https://id.example.com")},
		{"https://id.example.com?x=1", spelling("https://id.example.com?x=1", "https://id.example.com")},
		{"https://id.example.com?", spelling("https://id.example.com?", "https://id.example.com")},
		{"https://id.example.com#", spelling("https://id.example.com#", "https://id.example.com")},
		{"HTTPS://ID.Example.com", spelling("HTTPS://ID.Example.com", "https://id.example.com")},
		{"https://id.example.com:443", spelling("https://id.example.com:443", "https://id.example.com")},
		{"https://id.example.com:", spelling("https://id.example.com:", "https://id.example.com")},
		{"https://id.example.com:08443", spelling("https://id.example.com:08443", "https://id.example.com:8443")},
		{"http://[0:0::1]:8080", spelling("http://[0:0::1]:8080", "http://[::1]:8080")},
		{"http://id.example.com:8080/", "--issuer: http is for loopback only: write https://id.example.com:8080"},
		{"http://localhost.example.com", "--issuer: http is for loopback only: write https://localhost.example.com"},
		{"http://10.0.0.1", "--issuer: http is for loopback only: write https://10.0.0.1"},
		{"https://u:hunter2@id.example.com", "--issuer: a base URL has no user name or password"},
		{"https://bücher.example", `--issuer: "bücher.example" is not a host name; write a name with other than ASCII letters in its xn-- form`},
		{"https://id..example", `--issuer: "id..example" is not a host name; write a name with other than ASCII letters in its xn-- form`},
		{"https://-id.example", `--issuer: "-id.example" is not a host name; write a name with other than ASCII letters in its xn-- form`},
		{"https://id.example.com:0", "--issuer: 0 is not a port"},
		{"https://id.example.com:65536", "--issuer: 65536 is not a port"},
		{"id.example.com", must},
		{"localhost:8080", must},
		{"https://", must},
		{"https:id.example.com", must},
		{"ftp://id.example.com", must},
		{"https://id.example.com:port", must},
	} {
		c, err := loadWith(t, []string{"--issuer", tc.value})
		checkError(t, tc.value, err, tc.want)
		if err == nil && c.Issuer != tc.value {
			t.Errorf("%s is taken for %s", tc.value, c.Issuer)
		}
	}
}

// checkError compares an error's text; want is empty where none is expected.
func checkError(t *testing.T, value string, err error, want string) {
	t.Helper()
	got := ""
	if err != nil {
		got = err.Error()
	}
	if got != want {
		t.Errorf("%s: %s\nwant %s", value, got, want)
	}
}

func TestValues(t *testing.T) {
	const proxies = ": write addresses or networks, such as 10.0.0.7,192.168.0.0/16"
	for _, tc := range []struct{ flag, value, want string }{
		{"listen", ":8080", ""},
		{"listen", "[::]:0", ""},
		{"listen", "8080", `"8080": write host and port, such as 127.0.0.1:8080`},
		{"listen", "", `"": write host and port, such as 127.0.0.1:8080`},
		{"listen", "127.0.0.1:http", `"127.0.0.1:http": write host and port, such as 127.0.0.1:8080`},
		{"listen", "127.0.0.1:65536", `"127.0.0.1:65536": write host and port, such as 127.0.0.1:8080`},
		{"metrics", "127.0.0.1:0", ""},
		{"metrics", "off", `"off": write host and port, such as 127.0.0.1:8080`},
		{"namespace", "ours2", ""},
		{"namespace", "our.s", `namespace "our.s": write 1 to 16 lower-case letters and digits`},
		{"sign-up", "closed", ""},
		{"sign-up", "Open", `"Open": write open, invite or closed`},
		{"data", "", "write the name of a folder"},
		{"trusted-proxies", "10.0.0.1, ::1,10.1.0.0/16", ""},
		{"trusted-proxies", "10.0.0.1/8", "10.0.0.1/8 is an address within a network: write 10.0.0.0/8 or 10.0.0.1"},
		{"trusted-proxies", "proxy.example", `"proxy.example"` + proxies},
		{"trusted-proxies", "10.0.0.1 10.0.0.2", `"10.0.0.1 10.0.0.2"` + proxies},
		{"trusted-proxies", "10.0.0.0/33", `"10.0.0.0/33"` + proxies},
		{"trusted-proxies", "fe80::1%eth0", `"fe80::1%eth0"` + proxies},
		{"contact", "help@example.com", ""},
		{"contact", "https://example.com/help", ""},
		{"contact", "javascript:alert(1)", "write a mail address or a web address that begins with https://"},
		{"contact", "Help <help@example.com>", "write a mail address or a web address that begins with https://"},
	} {
		_, err := loadWith(t, []string{"--" + tc.flag, tc.value})
		want := tc.want
		if want != "" {
			want = "--" + tc.flag + ": " + want
		}
		checkError(t, "--"+tc.flag+" "+tc.value, err, want)
	}
}

func TestDatabase(t *testing.T) {
	const write = "--database: write postgres://user:password@host/database, with special characters of the password percent-encoded, or leave it out for SQLite"
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"--database=postgres://u:hunter2@h/d", "--key-file=k"}, ""},
		{[]string{"--database=postgresql://h/d", "--key-file=k"}, ""},
		{[]string{"--database=postgres://u:p%40ss@h1,h2,h3/d?target_session_attrs=read-write", "--key-file=k"}, ""},
		{[]string{"--database=postgres://h1:5432,10.0.0.2:5433,[fd00::3]:5434/d", "--key-file=k"}, ""},
		{[]string{"--database=postgres://h1:5432,h2:one/d", "--key-file=k"}, write},
		{[]string{"--key-file=k"}, ""},
		{[]string{"--database=postgres://u:hunter2@h/d"}, "--key-file: name the file of key-encryption keys; with --database it is required, the same for every replica"},
		{[]string{"--database=mysql://u:hunter2@h/d", "--key-file=k"}, write},
		{[]string{"--database=postgres://u:hunter2%@h/d", "--key-file=k"}, write},
		{[]string{"--database=host=h password=hunter2", "--key-file=k"}, write},
	} {
		_, err := loadWith(t, tc.args)
		checkError(t, strings.Join(tc.args, " "), err, tc.want)
	}
}

func TestMailServer(t *testing.T) {
	const write = "--smtp: write smtp://user:password@host:587 or smtps://user:password@host, with special characters of the password percent-encoded"
	for _, tc := range []struct {
		smtp, from string
		want       string
		sender     string
	}{
		{smtp: "smtp://u:hunter2@h:587", from: "no-reply@example.com", sender: "no-reply@example.com"},
		{smtp: "smtps://u:hunter2@h", from: "Gate & Lodge <no-reply@example.com>", sender: "Gate & Lodge <no-reply@example.com>"},
		{smtp: "smtp://h?from=no-reply@example.com", sender: "no-reply@example.com"},
		{from: "no-reply@example.com"},
		{smtp: "smtp://h", want: "--mail-from: name the sender of mails, such as no-reply@id.example.com"},
		{smtp: "smtp://h", from: "no-reply", want: "--mail-from: write a mail address, such as no-reply@id.example.com"},
		{smtp: "smtp://h?from=a@b", from: "c@d", want: "--mail-from: the mail server's URL names the sender too: keep one of them"},
		{smtp: "smtp://h?%", from: "c@d", want: "--smtp: what follows the ? cannot be read"},
		{smtp: "u:hunter2@h", from: "c@d", want: write},
		{smtp: "https://u:hunter2@h", from: "c@d", want: write},
		{smtp: "smtp://", from: "c@d", want: write},
		{smtp: "smtp://u:hunter2/x@h", from: "c@d", want: write},
	} {
		c, err := loadWith(t, []string{"--smtp", tc.smtp, "--mail-from", tc.from})
		checkError(t, tc.smtp+" "+tc.from, err, tc.want)
		if err != nil {
			continue
		}
		u, err := url.Parse(string(c.SMTP))
		if err != nil || u.Query().Get("from") != tc.sender {
			t.Errorf("%s with %s gives %s, want the sender %s", tc.smtp, tc.from, string(c.SMTP), tc.sender)
		}
		if base, _, _ := strings.Cut(tc.smtp, "?"); !strings.HasPrefix(string(c.SMTP), base) {
			t.Errorf("%s became %s", tc.smtp, string(c.SMTP))
		}
	}
}
