package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// client sends at most so many requests at once, and never sends on what is in them:
// a redirect is an answer.
func (p *program) client(parallel int) *http.Client {
	return &http.Client{
		Transport:     &patient{base: p.transport, parallel: parallel},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// refused is an answer that is none.
type refused struct {
	server    string
	status    int
	words     string
	requestID string
}

func (e *refused) Error() string {
	text := fmt.Sprintf("%s says: %s (%d", e.server, e.words, e.status)
	if e.requestID != "" {
		text += ", request " + e.requestID
	}
	return text + ")"
}

func refusal(server string, response *http.Response) *refused {
	var body struct {
		Code      string `json:"error"`
		Words     string `json:"error_description"`
		RequestID string `json:"request_id"`
	}
	// What is no JSON has no words of its own.
	json.NewDecoder(io.LimitReader(response.Body, 1<<16)).Decode(&body)
	return &refused{server, response.StatusCode, cmp.Or(body.Words, body.Code, http.StatusText(response.StatusCode)), body.RequestID}
}

// reportingAPI is Slate’s.
type reportingAPI struct {
	url     string
	session *session
	client  *http.Client
	slots   chan struct{}
}

type page[T any] struct {
	Next *string `json:"next"`
	Data []T     `json:"data"`
}

// get reads one page. A token that has ended is replaced once.
func (s *reportingAPI) get(ctx context.Context, address string, into any) error {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	token := ""
	for {
		fresh, err := s.session.access(ctx, token)
		if err != nil {
			return fatal{err}
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer "+fresh)
		r.Header.Set("Accept", "application/json")
		response, err := s.client.Do(r)
		if err != nil {
			return fatal{fmt.Errorf("cannot ask Slate: %w", err)}
		}
		if response.StatusCode == http.StatusOK {
			err := json.NewDecoder(io.LimitReader(response.Body, 1<<24)).Decode(into)
			response.Body.Close()
			if err != nil {
				return fmt.Errorf("cannot read what Slate answers at %s: %w", address, err)
			}
			return nil
		}
		refusal := refusal("Slate", response)
		response.Body.Close()
		if response.StatusCode != http.StatusUnauthorized {
			return refusal
		}
		if token != "" {
			return fatal{refusal}
		}
		token = fresh
	}
}

// fatal errors end the whole run: nothing else would go better.
type fatal struct{ error }

func (e fatal) Unwrap() error { return e.error }

// pages reads a list page by page.
func pages[T any](ctx context.Context, s *reportingAPI, address string, query url.Values, visit func([]T)) error {
	query.Set("limit", "100")
	address += "?" + query.Encode()
	seen := map[string]bool{}
	for {
		var p page[T]
		if err := s.get(ctx, address, &p); err != nil {
			return err
		}
		visit(p.Data)
		if p.Next == nil || *p.Next == "" || len(p.Data) == 0 {
			return nil
		}
		seen[address] = true
		base, err1 := url.Parse(s.url)
		next, err2 := url.Parse(*p.Next)
		// The token goes to Slate and nowhere else.
		if err1 != nil || err2 != nil || next.Scheme != base.Scheme || next.Host != base.Host || seen[*p.Next] {
			return fmt.Errorf("the next page would be %q, says Slate", *p.Next)
		}
		address = *p.Next
	}
}

func all[T any](ctx context.Context, s *reportingAPI, address string) (items []T, err error) {
	err = pages(ctx, s, address, url.Values{}, func(page []T) { items = append(items, page...) })
	return items, err
}
