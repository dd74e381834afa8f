// Package mail owns the few mails that Gatelodge sends to people: their words, and
// how they reach a mail server.
//
// A mail carries secrets (a recovery link signs its holder in), so nothing of a
// mail, of the server's answer to it or of the server's URL is repeated in an error.
package mail

import (
	"context"
	"errors"
)

// ErrNotConfigured: this server has no mail server, so the mail cannot be sent.
var ErrNotConfigured = errors.New("mail: no mail server is configured")

// Message is a plain-text mail to one person.
type Message struct {
	To      string
	Subject string
	Text    string
}

// Sender sends mails: [SMTP], or [None] where no mail server is configured.
type Sender interface {
	Send(ctx context.Context, m Message) error
}

// None is the sender of a server without a mail server.
type None struct{}

// Send refuses with [ErrNotConfigured].
func (None) Send(context.Context, Message) error { return ErrNotConfigured }
