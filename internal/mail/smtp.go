package mail

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/netip"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	gomail "github.com/wneessen/go-mail"
)

const (
	stepTimeout = 15 * time.Second // each dialogue step
	sendTimeout = time.Minute      // one mail, everything included
)

// protection is how the connection to the mail server is kept from others' eyes.
type protection uint8

const (
	startTLS    protection = iota // smtp: STARTTLS before anything else (RFC 3207), or no mail
	implicitTLS                   // smtps: TLS from the first byte (RFC 8314 section 3)
	loopback                      // smtp to this machine: no wire to listen on
)

// SMTP sends mails through one mail server, with a connection of its own for each.
type SMTP struct {
	host       string
	port       int
	protection protection
	tls        *tls.Config
	from       *netmail.Address
	// auth holds the credentials out of the reach of %+v.
	auth []gomail.Option
}

// NewSMTP reads the mail server from a URL:
//
//	smtp://user:password@host:587?from=no-reply@example.com
//	smtps://user:password@host?from=Gatelodge+<no-reply@example.com>
//
// smtp asks for STARTTLS, unless the host is this machine; smtps is TLS from the
// start. The URL holds a password, so it is never part of an error.
func NewSMTP(rawURL string) (*SMTP, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, errors.New("mail: the mail server is not a URL; write smtp://user:password@host:587?from=address, with special characters of the password percent-encoded")
	}
	s := &SMTP{host: u.Hostname()}
	switch u.Scheme {
	case "smtp":
		s.port = 587
		if isLoopback(s.host) {
			s.protection = loopback
		}
	case "smtps":
		s.port, s.protection = 465, implicitTLS
	default:
		return nil, errors.New("mail: the mail server's URL must begin with smtp:// or smtps://")
	}
	if s.host == "" {
		return nil, errors.New("mail: the mail server's URL names no host")
	}
	if p := u.Port(); p != "" {
		if s.port, err = strconv.Atoi(p); err != nil || s.port < 1 || s.port > 65535 {
			return nil, errors.New("mail: the port in the mail server's URL must be a number from 1 to 65535")
		}
	}
	s.tls = &tls.Config{ServerName: s.host, MinVersion: tls.VersionTLS12}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errors.New("mail: the query of the mail server's URL is malformed")
	}
	for name := range query {
		if name != "from" {
			return nil, errors.New("mail: the mail server's URL takes no parameter but from")
		}
	}
	if s.from, err = netmail.ParseAddress(query.Get("from")); err != nil {
		return nil, errors.New("mail: the mail server's URL must name the sender: add ?from=no-reply@example.com")
	}
	if u.User != nil {
		password, ok := u.User.Password()
		if !ok {
			return nil, errors.New("mail: the mail server's URL names a user without a password")
		}
		s.auth = []gomail.Option{
			gomail.WithUsername(u.User.Username()),
			gomail.WithPassword(password),
			gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthSCRAMSHA1,
				gomail.SMTPAuthPlain, gomail.SMTPAuthLogin),
		}
	}
	return s, nil
}

// Send hands the mail to the mail server. No error means that the server has taken
// responsibility for it.
func (s *SMTP) Send(ctx context.Context, m Message) error {
	msg, err := s.compose(m)
	if err != nil {
		return err
	}
	return s.dialogue(ctx, func(ctx context.Context, client *gomail.Client) error {
		if err := client.DialWithContext(ctx); err != nil {
			return s.failure(ctx, "connecting to", err)
		}
		// Once the server has said that it took the mail, a failure to part politely is
		// none.
		if err := client.Send(msg); err != nil && !msg.IsDelivered() {
			return s.failure(ctx, "sending through", err)
		}
		return nil
	})
}

// Check finds out whether mails could be sent: it connects, proves who it is and
// names the sender, and then takes its leave.
func (s *SMTP) Check(ctx context.Context) error {
	return s.dialogue(ctx, func(ctx context.Context, client *gomail.Client) error {
		conn, err := client.DialToSMTPClientWithContext(ctx)
		if err != nil {
			return s.failure(ctx, "connecting to", err)
		}
		if err := conn.Mail(s.from.Address); err != nil {
			return s.failure(ctx, "naming the sender to", err)
		}
		// It has agreed: whatever comes of parting, mails can be sent.
		_ = conn.Reset()
		_ = conn.Quit()
		return nil
	})
}

// dialogue runs do with a client whose connection is closed afterwards.
func (s *SMTP) dialogue(ctx context.Context, do func(context.Context, *gomail.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()

	// The connection is ours so that it can be closed when the caller goes, which the
	// library looks at only while it dials, and after a failed greeting, which the
	// library leaves open.
	closeConn := func() {}
	defer func() { closeConn() }()
	dial := func(dialCtx context.Context, network, address string) (net.Conn, error) {
		conn, err := s.dial(dialCtx, network, address)
		if err != nil {
			return nil, err
		}
		stop := context.AfterFunc(ctx, func() { conn.Close() })
		closeConn = func() {
			stop()
			conn.Close()
		}
		return conn, nil
	}
	policy := gomail.NoTLS // s.dial may have made it TLS already
	if s.protection == startTLS {
		policy = gomail.TLSMandatory
	}
	client, err := gomail.NewClient(s.host, append([]gomail.Option{
		gomail.WithPort(s.port),
		gomail.WithTimeout(stepTimeout),
		gomail.WithTLSConfig(s.tls),
		gomail.WithTLSPolicy(policy),
		gomail.WithDialContextFunc(dial),
	}, s.auth...)...)
	if err != nil {
		return errors.New("mail: the mail server's settings are refused by the mail library")
	}
	return do(ctx, client)
}

func (s *SMTP) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if s.protection == implicitTLS {
		return (&tls.Dialer{Config: s.tls}).DialContext(ctx, network, address)
	}
	return (&net.Dialer{}).DialContext(ctx, network, address)
}

// failure tells what went wrong without a word that the server said: a server may
// quote what it refused, be it the password or the mail with its link.
func (s *SMTP) failure(ctx context.Context, doing string, err error) error {
	where := doing + " " + net.JoinHostPort(s.host, strconv.Itoa(s.port))
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("mail: %s: %w", where, cause)
	}
	if refusal, ok := errors.AsType[*textproto.Error](err); ok {
		return fmt.Errorf("mail: %s: the server answered %d", where, refusal.Code)
	}
	if refusal, ok := errors.AsType[*gomail.SendError](err); ok {
		return fmt.Errorf("mail: %s: %s: the server answered %d %s", where, refusal.Reason,
			refusal.ErrorCode(), refusal.EnhancedStatusCode())
	}
	if _, ok := errors.AsType[textproto.ProtocolError](err); ok {
		return fmt.Errorf("mail: %s: the server does not speak SMTP", where)
	}
	return fmt.Errorf("mail: %s: %w", where, err)
}

// compose builds the mail. Nothing that came from a person may begin a header of its
// own (CWE-93), so what a header is made of is refused with any control character.
func (s *SMTP) compose(m Message) (*gomail.Msg, error) {
	if strings.ContainsFunc(m.To, unicode.IsControl) || strings.ContainsFunc(m.Subject, unicode.IsControl) {
		return nil, errors.New("mail: control character in the recipient or the subject")
	}
	to, err := netmail.ParseAddress(m.To)
	if err != nil || to.Name != "" || to.Address != m.To {
		return nil, errors.New("mail: the recipient is not a plain e-mail address")
	}
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	msg.FromMailAddress(s.from)
	msg.ToMailAddress(to)
	msg.Subject(m.Subject)
	msg.SetDate()
	// The library's own ids would tell the name of this machine.
	_, domain, _ := strings.Cut(s.from.Address, "@")
	msg.SetMessageIDWithValue(rand.Text() + "@" + domain)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834 section 5: no holiday replies
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	return msg, nil
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
