package signin

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"gatelodge/internal/web"
)

const (
	outboxSize = 256
	senders    = 2
	// outboxGrace is how long mails are still sent when the server stops.
	outboxGrace = 10 * time.Second
)

// letter is a mail that is looked up, written and sent after the answer: whoever
// measures how long an answer takes learns nothing about the account.
type letter struct {
	kind string // for the log; never an address
	send func(context.Context) error
}

// post puts a letter into the outbox. When it is full everybody is refused alike.
func (s *Surface) post(kind string, send func(context.Context) error) error {
	select {
	case s.outbox <- letter{kind, send}:
		return nil
	default:
		return &web.Error{
			Status: http.StatusServiceUnavailable, Title: "Too many mails are waiting to be sent",
			Turn: web.OurTurn, Next: "Please try again in a minute.", RetryAfter: time.Minute,
		}
	}
}

// Run sends what is in the outbox until ctx ends, and then what is still in it.
func (s *Surface) Run(ctx context.Context) {
	sending, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	context.AfterFunc(ctx, func() { time.AfterFunc(outboxGrace, stop) })
	var wg sync.WaitGroup
	for range senders {
		wg.Go(func() {
			for {
				select {
				case l := <-s.outbox:
					s.deliver(sending, l)
				case <-ctx.Done():
					s.empty(sending)
					return
				}
			}
		})
	}
	wg.Wait()
}

func (s *Surface) empty(ctx context.Context) {
	for {
		select {
		case l := <-s.outbox:
			s.deliver(ctx, l)
		default:
			return
		}
	}
}

func (s *Surface) deliver(ctx context.Context, l letter) {
	if err := l.send(ctx); err != nil {
		s.Log.LogAttrs(ctx, slog.LevelWarn, "mail could not be sent", slog.String("mail", l.kind), slog.String("error", err.Error()))
	}
}
