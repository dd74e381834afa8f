package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// refused is an answer that is none.
type refused struct {
	server, words, requestID string
	status                   int
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
	return &refused{server, cmp.Or(body.Words, body.Code, http.StatusText(response.StatusCode)), body.RequestID, response.StatusCode}
}

// fatal errors end the whole run: nothing else would go better.
type fatal struct{ error }

func (e fatal) Unwrap() error { return e.error }

// reportingAPI is Slate's.
type reportingAPI struct {
	base   string // of its lists
	tokens *tokens
	client *http.Client
}

// get reads one page. A token that is refused is replaced once.
func (a *reportingAPI) get(ctx context.Context, address string, into any) error {
	token := ""
	for {
		fresh, err := a.tokens.access(ctx, token)
		if err != nil {
			return fatal{err}
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer "+fresh)
		response, err := a.client.Do(r)
		if err != nil {
			return fatal{fmt.Errorf("cannot ask Slate: %w", err)}
		}
		defer response.Body.Close()
		if response.StatusCode == http.StatusOK {
			if err := json.NewDecoder(io.LimitReader(response.Body, 1<<24)).Decode(into); err != nil {
				return fmt.Errorf("cannot read what Slate answers at %s: %w", address, err)
			}
			return nil
		}
		refusal := refusal("Slate", response)
		if response.StatusCode != http.StatusUnauthorized {
			return refusal
		}
		if token != "" {
			return fatal{refusal}
		}
		response.Body.Close()
		token = fresh
	}
}

// page is a part of a list (slate.md's limit, offset, next).
type page[T any] struct {
	Next *string `json:"next"`
	Data []T     `json:"data"`
}

// pages reads a list page by page.
func pages[T any](ctx context.Context, a *reportingAPI, path string, query url.Values, visit func([]T)) error {
	query.Set("limit", "100")
	address := a.base + path + "?" + query.Encode()
	seen := map[string]bool{}
	for {
		var p page[T]
		if err := a.get(ctx, address, &p); err != nil {
			return err
		}
		visit(p.Data)
		if p.Next == nil || *p.Next == "" || len(p.Data) == 0 {
			return nil
		}
		seen[address] = true
		// The token goes to Slate and nowhere else.
		if address = *p.Next; seen[address] || !strings.HasPrefix(address, a.base+"/") && !strings.HasPrefix(address, a.base+"?") {
			return fmt.Errorf("the next page would be %q, says Slate", address)
		}
	}
}
