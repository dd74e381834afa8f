package mail

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"mime"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"net/textproto"
	"strings"
	"testing"
	"time"
)

// server is a mail server for one connection on loopback.
type server struct {
	addr  string
	cert  *tls.Config // offers STARTTLS when set
	auth  string      // answer to AUTH; with {} replaced by what was sent
	data  string      // answer to the end of DATA; with {} replaced by the mail
	done  chan struct{}
	lines []string
	mail  string
}

func (s *server) start(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr, s.done = l.Addr().String(), make(chan struct{})
	go func() {
		defer close(s.done)
		defer l.Close()
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { conn.Close() }()
		r := bufio.NewReader(conn)
		say := func(line string) { fmt.Fprintf(conn, "%s\r\n", line) }
		say("220 test")
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			line = strings.TrimRight(line, "\r\n")
			s.lines = append(s.lines, line)
			verb, rest, _ := strings.Cut(line, " ")
			switch verb {
			case "EHLO":
				say("250-test")
				if _, secure := conn.(*tls.Conn); s.cert != nil && !secure {
					say("250-STARTTLS")
				}
				say("250 AUTH PLAIN")
			case "STARTTLS":
				say("220 go on")
				conn = tls.Server(conn, s.cert)
				r.Reset(conn)
			case "AUTH":
				say(strings.ReplaceAll(s.auth, "{}", rest))
			case "DATA":
				say("354 go on")
				var text strings.Builder
				for {
					line, err := r.ReadString('\n')
					if err != nil {
						return
					}
					if line == ".\r\n" {
						break
					}
					text.WriteString(line)
				}
				s.mail = text.String()
				say(strings.ReplaceAll(s.data, "{}", strings.ReplaceAll(s.mail, "\r\n", " ")))
			case "QUIT":
				return // without an answer: it must not matter
			default:
				say("250 ok")
			}
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-s.done
	})
}

func newSMTP(t *testing.T, url string) *SMTP {
	t.Helper()
	s, err := NewSMTP(url)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSend(t *testing.T) {
	srv := &server{auth: "235 ok", data: "250 taken"}
	srv.start(t)
	s := newSMTP(t, "smtp://lodge:s3cret%2Fpass@"+srv.addr+"?from=Gatelodge+<no-reply@example.com>")
	link := "http://localhost:8080/recover?token=" + strings.Repeat("x", 43)
	m := Recovery("ann@example.com", link, "Gatelodge – Tür", 30*time.Minute)
	if err := s.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	<-srv.done
	wantAuth := "AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00lodge\x00s3cret/pass"))
	commands := strings.Join(srv.lines, "\n")
	for _, want := range []string{wantAuth, "MAIL FROM:<no-reply@example.com>", "RCPT TO:<ann@example.com>"} {
		if !strings.Contains(commands, want) {
			t.Errorf("the dialogue lacks %q:\n%s", want, commands)
		}
	}
	got, err := netmail.ReadMessage(strings.NewReader(srv.mail))
	if err != nil {
		t.Fatal(err)
	}
	header := func(name string) string {
		text, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get(name))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for name, want := range map[string]string{
		"To":             "<ann@example.com>",
		"From":           `"Gatelodge" <no-reply@example.com>`,
		"Subject":        "Choose a new password for Gatelodge – Tür",
		"Auto-Submitted": "auto-generated",
		"User-Agent":     "",
		"X-Mailer":       "",
	} {
		if got := header(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if id := header("Message-ID"); !strings.HasSuffix(id, "@example.com>") {
		t.Errorf("Message-ID %q, want one of the sender's domain", id)
	}
	body, err := io.ReadAll(quotedprintable.NewReader(got.Body))
	if err != nil {
		t.Fatal(err)
	}
	if text := strings.ReplaceAll(string(body), "\r\n", "\n"); strings.TrimSpace(text) != strings.TrimSpace(m.Text) {
		t.Errorf("body:\n%s\nwant:\n%s", text, m.Text)
	}
}

func TestSendSTARTTLS(t *testing.T) {
	cert, roots := certificate(t)
	srv := &server{cert: cert, auth: "235 ok", data: "250 taken"}
	srv.start(t)
	s := newSMTP(t, "smtp://lodge:pass@"+srv.addr+"?from=no-reply@example.com")
	s.protection, s.tls.RootCAs = startTLS, roots
	if err := s.Send(t.Context(), PasswordChanged("ann@example.com", "http://localhost/recover", "Gatelodge")); err != nil {
		t.Fatal(err)
	}
	<-srv.done
	if len(srv.lines) < 2 || srv.lines[1] != "STARTTLS" {
		t.Errorf("dialogue %q, want STARTTLS right after EHLO", srv.lines)
	}
	if srv.mail == "" {
		t.Error("no mail arrived")
	}
}

// A server without STARTTLS, or with a certificate of nobody, gets neither the password
// nor the mail.
func TestSendRefusesUnprotected(t *testing.T) {
	stranger, _ := certificate(t)
	for name, cert := range map[string]*tls.Config{"no STARTTLS": nil, "unknown certificate": stranger} {
		t.Run(name, func(t *testing.T) {
			srv := &server{cert: cert, auth: "235 ok", data: "250 taken"}
			srv.start(t)
			s := newSMTP(t, "smtp://lodge:pass@"+srv.addr+"?from=no-reply@example.com")
			s.protection = startTLS
			if err := s.Send(t.Context(), message()); err == nil {
				t.Error("Send succeeded")
			}
			<-srv.done
			for _, line := range srv.lines {
				if verb, _, _ := strings.Cut(line, " "); verb == "AUTH" || verb == "MAIL" {
					t.Errorf("sent %q without protection", line)
				}
			}
		})
	}
}

func TestSendErrorsTellNoSecret(t *testing.T) {
	plain := base64.StdEncoding.EncodeToString([]byte("\x00lodge\x00s3cret"))
	for _, tc := range []struct {
		name       string
		auth, data string
		want       string
	}{
		{"password quoted", "535 refused: {}", "250 ok", "the server answered 535"},
		{"gibberish", "refused {}", "250 ok", "the server does not speak SMTP"},
		{"mail quoted", "235 ok", "554 5.7.1 spam: {}", "the server answered 554"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := &server{auth: tc.auth, data: tc.data}
			srv.start(t)
			s := newSMTP(t, "smtp://lodge:s3cret@"+srv.addr+"?from=no-reply@example.com")
			err := s.Send(t.Context(), message())
			if err == nil {
				t.Fatal("Send succeeded")
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %q, want %q in it", err, tc.want)
			}
			for _, secret := range []string{"s3cret", plain, "t0ken", "ann@"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("error %q tells %q", err, secret)
				}
			}
		})
	}
}

func TestSendStopsWithCaller(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never greets
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := newSMTP(t, "smtp://"+l.Addr().String()+"?from=no-reply@example.com")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	if err := s.Send(ctx, message()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want the caller's deadline", err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v after the caller had gone", took)
	}
}

func TestSendRefusesHeaderInjection(t *testing.T) {
	s := newSMTP(t, "smtp://127.0.0.1:1?from=no-reply@example.com")
	for _, m := range []Message{
		{To: "ann@example.com\r\nBcc: eve@example.com", Subject: "s", Text: "t"},
		{To: "ann@example.com", Subject: "s\r\nBcc: eve@example.com", Text: "t"},
		{To: "ann@example.com", Subject: "s\nBcc: eve@example.com", Text: "t"},
		{To: "ann@example.com, eve@example.com", Subject: "s", Text: "t"},
		{To: "Ann <ann@example.com>", Subject: "s", Text: "t"},
		{To: "<ann@example.com>", Subject: "s", Text: "t"},
		{To: "", Subject: "s", Text: "t"},
	} {
		if _, err := s.compose(m); err == nil {
			t.Errorf("compose(%+v) succeeded", m)
		}
	}
}

func TestNewSMTP(t *testing.T) {
	const from = "?from=no-reply@example.com"
	for _, tc := range []struct {
		url        string
		host       string
		port       int
		protection protection
	}{
		{"smtp://mail.example.com" + from, "mail.example.com", 587, startTLS},
		{"smtp://u:p@mail.example.com:2525" + from, "mail.example.com", 2525, startTLS},
		{"smtps://mail.example.com" + from, "mail.example.com", 465, implicitTLS},
		{"smtp://localhost:1025" + from, "localhost", 1025, loopback},
		{"smtp://127.0.0.1" + from, "127.0.0.1", 587, loopback},
		{"smtp://[::1]:25" + from, "::1", 25, loopback},
		{"smtps://localhost" + from, "localhost", 465, implicitTLS},
		{"smtp://localhost.example.com" + from, "localhost.example.com", 587, startTLS},
		{"smtp://10.0.0.1" + from, "10.0.0.1", 587, startTLS},
	} {
		s, err := NewSMTP(tc.url)
		if err != nil {
			t.Errorf("NewSMTP(%q): %v", tc.url, err)
			continue
		}
		if s.host != tc.host || s.port != tc.port || s.protection != tc.protection {
			t.Errorf("NewSMTP(%q) = %s, %d, %d, want %s, %d, %d", tc.url,
				s.host, s.port, s.protection, tc.host, tc.port, tc.protection)
		}
	}
	for _, url := range []string{
		"", "mail.example.com", "http://u:s3cret@mail.example.com" + from,
		"smtp://u:s3cret@" + from, "smtp://u:s3cret@mail.example.com",
		"smtp://u:s3cret@mail.example.com?from=nobody", "smtp://u:s3cret@mail.example.com:0" + from,
		"smtp://u:s3cret@mail.example.com:99999" + from, "smtp://u:s3cret@mail.example.com:x" + from,
		"smtp://u:s3cret%zz@mail.example.com" + from, "smtp://s3cret@mail.example.com" + from,
		"smtp://u:s3cret@mail.example.com" + from + "&tls=off", "smtp://u:s3cret\x7f@mail.example.com" + from,
	} {
		_, err := NewSMTP(url)
		if err == nil {
			t.Errorf("NewSMTP(%q) succeeded", url)
		} else if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("NewSMTP(%q): error tells the password: %v", url, err)
		}
	}
	if text := fmt.Sprintf("%+v %#v", *newSMTP(t, "smtp://u:s3cret@h"+from), newSMTP(t, "smtp://u:s3cret@h"+from)); strings.Contains(text, "s3cret") {
		t.Errorf("printing the sender tells the password: %s", text)
	}
}

func TestNone(t *testing.T) {
	if err := (None{}).Send(t.Context(), message()); !errors.Is(err, ErrNotConfigured) {
		t.Errorf("error %v, want ErrNotConfigured", err)
	}
}

func TestMessages(t *testing.T) {
	const to, link, product = "ann@example.com", "http://localhost/link", "Gatelodge"
	for _, tc := range []struct {
		message Message
		subject string
		words   string
	}{
		{Recovery(to, link, product, 30*time.Minute), "Choose a new password for Gatelodge", "within 30 minutes"},
		{ConfirmEmail(to, link, product, 24*time.Hour), "Confirm your e-mail address for Gatelodge", "within 24 hours"},
		{PasswordChanged(to, link, product), "Your password for Gatelodge was changed", "If it was not"},
	} {
		if tc.message.To != to || tc.message.Subject != tc.subject {
			t.Errorf("to %q, subject %q, want %q, %q", tc.message.To, tc.message.Subject, to, tc.subject)
		}
		// A link on a line of its own is one that every mail program recognises.
		for _, want := range []string{"\n" + link + "\n", product, tc.words} {
			if !strings.Contains(tc.message.Text, want) {
				t.Errorf("%q lacks %q:\n%s", tc.subject, want, tc.message.Text)
			}
		}
	}
}

func TestFailureTellsProtocolErrors(t *testing.T) {
	s := newSMTP(t, "smtp://127.0.0.1:25?from=no-reply@example.com")
	err := s.failure(t.Context(), "connecting to", fmt.Errorf("x: %w", textproto.ProtocolError("short response: s3cret")))
	if got, want := err.Error(), "mail: connecting to 127.0.0.1:25: the server does not speak SMTP"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func message() Message {
	return Recovery("ann@example.com", "http://localhost/recover?token=t0ken", "Gatelodge", 30*time.Minute)
}

func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, roots
}
