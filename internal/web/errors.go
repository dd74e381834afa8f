package web

import (
	"fmt"
	"net/http"
	"time"
)

// Turn says who can do something about an error.
type Turn string

// Whose turn it is after an error.
const (
	YourTurn        Turn = "Your turn"
	ApplicationTurn Turn = "The application’s turn"
	OurTurn         Turn = "Our turn"
)

// Error is an error that a person reads as a page. Title and Detail are in
// plain words; Err is for the log alone.
type Error struct {
	Status     int
	Title      string // what happened
	Detail     string // more of it
	Turn       Turn   // who can change it; may be empty
	Next       string // what to do now
	Links      []Link
	RetryAfter time.Duration
	Err        error
}

// Link is a labelled way on.
type Link struct {
	Text, URL string
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%d %s: %v", e.Status, e.Title, e.Err)
	}
	return fmt.Sprintf("%d %s", e.Status, e.Title)
}

func (e *Error) Unwrap() error { return e.Err }

// NotFound is the page for something that is not there, or not there for this person.
func NotFound(detail string, links ...Link) *Error {
	return &Error{
		Status: http.StatusNotFound, Title: "There is nothing here", Detail: detail,
		Turn: YourTurn, Next: "Check the address, or go on from one of these pages.", Links: links,
	}
}

// Forbidden is the page for something that this person may not do.
func Forbidden(detail string, links ...Link) *Error {
	return &Error{
		Status: http.StatusForbidden, Title: "This is not open to you", Detail: detail,
		Turn: YourTurn, Links: links,
	}
}

// Conflict is the page for a change that came too late.
func Conflict(detail string, links ...Link) *Error {
	return &Error{
		Status: http.StatusConflict, Title: "This has changed in the meantime", Detail: detail,
		Turn: YourTurn, Links: links,
	}
}

// TooMany is the page for someone who has to wait; retryAfter also goes on the wire.
func TooMany(retryAfter time.Duration, detail string, links ...Link) *Error {
	return &Error{
		Status: http.StatusTooManyRequests, Title: "Too many attempts", Detail: detail,
		Turn: YourTurn, Next: "Wait " + span(retryAfter) + ", then try again.",
		Links: links, RetryAfter: retryAfter,
	}
}

// crossOrigin is what a page of another site gets that posts to us unasked.
func crossOrigin(err error) *Error {
	return &Error{
		Status: http.StatusForbidden,
		Title:  "This request came from another site",
		Detail: "To protect your account, a form may only be sent from our own pages. Nothing was changed.",
		Turn:   YourTurn,
		Next:   "Open the page here and send the form again.",
		Err:    err,
	}
}

func tooLarge(err error) *Error {
	return &Error{
		Status: http.StatusRequestEntityTooLarge,
		Title:  "That is more than this form takes",
		Detail: "What was sent is larger than the limit, most likely because of the file in it. Nothing was changed.",
		Turn:   YourTurn,
		Next:   "Go back: your browser still has what you typed. Choose a smaller file and send the form again.",
		Err:    err,
	}
}
