package e2e

import (
	"bufio"
	"fmt"
	"io"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"regexp"
	"strings"
	"testing"
	"time"
)

// mailbox is a mail server (RFC 5321) that keeps what it is sent.
type mailbox struct {
	t     *testing.T
	url   string
	mails chan string
}

func newMailbox(t *testing.T) *mailbox {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	m := &mailbox{t: t, url: "smtp://" + l.Addr().String() + "?from=no-reply@id.example.com", mails: make(chan string, 16)}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go m.serve(conn)
		}
	}()
	return m
}

func (m *mailbox) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	fmt.Fprint(conn, "220 mailbox\r\n")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		switch verb := strings.ToUpper(line[:min(4, len(line))]); verb {
		case "DATA":
			fmt.Fprint(conn, "354 go on\r\n")
			var b strings.Builder
			for {
				line, err := in.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				b.WriteString(strings.TrimPrefix(line, "."))
			}
			m.mails <- b.String()
			fmt.Fprint(conn, "250 kept\r\n")
		case "QUIT":
			fmt.Fprint(conn, "221 bye\r\n")
			return
		default:
			fmt.Fprint(conn, "250 ok\r\n")
		}
	}
}

var linkInMail = regexp.MustCompile(`https?://\S+`)

// link is the link in the next mail.
func (m *mailbox) link() string {
	m.t.Helper()
	select {
	case raw := <-m.mails:
		msg, err := mail.ReadMessage(strings.NewReader(raw))
		if err != nil {
			m.t.Fatal(err)
		}
		body := msg.Body
		if msg.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
			body = quotedprintable.NewReader(body)
		}
		text, err := io.ReadAll(body)
		if err != nil {
			m.t.Fatal(err)
		}
		link := linkInMail.FindString(string(text))
		if link == "" {
			m.t.Fatalf("there is no link in this mail:\n%s", text)
		}
		return link
	case <-time.After(patience):
		m.t.Fatal("no mail came")
		return ""
	}
}
