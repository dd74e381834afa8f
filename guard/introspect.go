package guard

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// answer is what is known of a token.
type answer struct {
	active     bool
	principal  Principal
	thumbprint string // of the key that its bearer has to prove, "" for none
	handles    []string
}

// answer finds out about a token: from memory, by its signature, or by asking.
func (g *Guard) answer(r *http.Request, token string, now time.Time) (answer, error) {
	ctx := r.Context()
	followed := g.follow.trusted(now, g.options.MaxStale)
	kept, known := g.answers.get(token, now)
	if followed {
		if known {
			return kept, nil
		}
		if a, ok := g.verify(ctx, token, now); ok {
			g.answers.put(token, a, now)
			return a, nil
		}
	}
	network := networkOf(g.options.Address(r))
	if !known {
		if g.strangers.isBad(token, now) {
			return answer{}, nil
		}
		if wait := g.strangers.ask(network, now); wait > 0 {
			return answer{}, tooManyBadTokens(wait)
		}
	}
	began := g.answers.mark()
	a, err := g.introspect(ctx, token)
	switch {
	case err == nil && !a.active:
		g.strangers.noteBad(token, now.Add(g.options.MaxStale), now)
		return a, nil
	case !known:
		g.strangers.wasNotBad(network, now)
	}
	if err == nil && followed {
		g.answers.putSince(began, token, a, now)
	}
	return a, err
}

// introspect asks the server (RFC 7662).
func (g *Guard) introspect(ctx context.Context, token string) (answer, error) {
	body := strings.NewReader(url.Values{"token": {token}, "token_type_hint": {"access_token"}}.Encode())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, g.options.Issuer+"/oauth2/introspect", body)
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	g.authenticate(r)
	var told struct {
		Active       bool     `json:"active"`
		Scope        string   `json:"scope"`
		ClientID     string   `json:"client_id"`
		Subject      string   `json:"sub"`
		Audience     audience `json:"aud"`
		Issuer       string   `json:"iss"`
		ExpiresAt    int64    `json:"exp"`
		EndsWith     []string `json:"ends_with"`
		Confirmation struct {
			Thumbprint string `json:"jkt"`
		} `json:"cnf"`
	}
	if err := g.ask(r, &told); err != nil {
		return answer{}, err
	}
	// A server tells the API about its own tokens too; those are for others.
	if !told.Active || told.Issuer != g.options.Issuer || !slices.Contains(told.Audience, g.options.Audience) {
		return answer{}, nil
	}
	return answer{
		active: true, thumbprint: told.Confirmation.Thumbprint, handles: told.EndsWith,
		principal: Principal{
			Subject: told.Subject, ClientID: told.ClientID, Scopes: strings.Fields(told.Scope), ExpiresAt: time.Unix(told.ExpiresAt, 0),
		},
	}, nil
}

// maxAnswer bounds what is read of the server's answers.
const maxAnswer = 1 << 20

// authenticate adds the API's own credentials (RFC 6749 section 2.3.1).
func (g *Guard) authenticate(r *http.Request) {
	r.SetBasicAuth(url.QueryEscape(g.options.ClientID), url.QueryEscape(g.options.ClientSecret))
}

// ask sends a request to the server and reads the JSON that comes.
func (g *Guard) ask(r *http.Request, into any) error {
	response, err := g.options.Client.Do(r)
	if err != nil {
		return fmt.Errorf("guard: %w", withoutQuery(err))
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("guard: %s answers %s", r.URL.Path, response.Status)
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(into); err != nil {
		return fmt.Errorf("guard: the answer of %s: %w", r.URL.Path, err)
	}
	return nil
}

// withoutQuery keeps what an address holds out of logs.
func withoutQuery(err error) error {
	if e, ok := err.(*url.Error); ok {
		return e.Err
	}
	return err
}

// audience is one identifier or several (RFC 7519 section 4.1.3).
type audience []string

func (a *audience) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(a))
}
