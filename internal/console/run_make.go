package console

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"gatelodge/internal/registry"
)

// call is the request of a step.
func (a application) call(st step, variables map[string]string) call {
	switch st {
	case stepExchange:
		return a.exchange()
	case stepService:
		return a.clientCredentials()
	case stepInfo:
		return a.tokenInfo()
	case stepRefresh:
		return a.refresh()
	case stepRevoke:
		if variables[varRefresh] != "" {
			return a.revoke(varRefresh)
		}
		return a.revoke(varAccess)
	default:
		return a.userInfo()
	}
}

// make has the server answer a request as an application's: the same address, the same
// checks, the same line in the log. The run remembers both, and what the application
// knows from then on.
func (s *Surface) make(r *http.Request, v visit, p registry.SecurityProfile, run *run, st step) error {
	c := s.runner(p, *run).call(st, run.Variables)
	variables := map[string]string{}
	for _, name := range c.variables() {
		if value := run.Variables[name]; value != "" {
			variables[name] = value
		}
	}
	m := made{Step: st, At: v.now.Unix(), Variables: maps.Clone(variables)}
	if c.as == basic {
		secret, err := s.secretInUse(r, v, p)
		if err != nil {
			return err
		}
		variables[varSecret] = secret
	}
	request, err := c.request(r.Context(), variables)
	if err != nil {
		return err
	}
	// For limits per address it is the developer who asks.
	request.RemoteAddr = r.RemoteAddr
	request.Header["X-Forwarded-For"] = r.Header["X-Forwarded-For"]
	request.RequestURI = request.URL.RequestURI()
	rec := &recorder{header: http.Header{}}
	s.Protocol.ServeHTTP(rec, request)

	m.Status, m.Body = rec.status, rec.body.String()
	for _, name := range []string{"Content-Type", "Cache-Control", "WWW-Authenticate", "X-Amzn-Requestid"} {
		if value := rec.header.Get(name); value != "" {
			m.Header = append(m.Header, answered{name, value})
		}
	}
	run.learn(m)
	run.Made = append(run.Made, m)
	return nil
}

// runner is the application that a run plays.
func (s *Surface) runner(p registry.SecurityProfile, r run) application {
	return s.application(p, r.Dialect, held(varReturnURL), r.Scope...)
}

// secretInUse opens the newest secret that has no end.
func (s *Surface) secretInUse(r *http.Request, v visit, p registry.SecurityProfile) (string, error) {
	secrets := byUse(p.Secrets, v.now)
	if len(secrets) == 0 || !secrets[0].Live(v.now) {
		return "", noSecret(p)
	}
	return s.Store.UseSecret(r.Context(), v.developer.ID, p.ID, secrets[0].ID, s.Sessions.By(r, v.User, v.now))
}

// learn takes what an answer tells the application.
func (r *run) learn(m made) {
	if m.Status != http.StatusOK {
		return
	}
	switch m.Step {
	case stepRevoke:
		delete(r.Variables, varRefresh)
	case stepExchange, stepService, stepRefresh:
		var tokens struct {
			Access  string `json:"access_token"`
			Refresh string `json:"refresh_token"`
			IDToken string `json:"id_token"`
		}
		if json.Unmarshal([]byte(m.Body), &tokens) != nil {
			return // the page shows what came
		}
		for name, text := range map[string]string{varAccess: tokens.Access, varRefresh: tokens.Refresh, varIDToken: tokens.IDToken} {
			if text != "" {
				r.Variables[name] = text
			}
		}
	}
}

// settled reports whether a step has been made, with whatever answer but that the
// server could not do it now.
func (r run) settled(st step) bool {
	return slices.ContainsFunc(r.Made, func(m made) bool { return m.Step == st && m.Status < http.StatusInternalServerError })
}

// asksHere reports whether a scope of the run is for this server itself: a token for
// other APIs alone reads nothing here.
func (r run) asksHere(ctx context.Context, s *Surface) (bool, error) {
	table, err := s.View.Scopes(ctx)
	if err != nil {
		return false, err
	}
	set, _ := table.Parse(r.Scope)
	_, here := table.Audiences(set)
	return here, nil
}

// recorder is an http.ResponseWriter that keeps the answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
}

func (w *recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

// problem is the error code of an answer, "" when it is none.
func (m made) problem() string {
	if m.Status < http.StatusBadRequest {
		return ""
	}
	var body struct {
		Error string `json:"error"`
	}
	if json.Unmarshal([]byte(m.Body), &body) == nil && body.Error != "" {
		return body.Error
	}
	for _, h := range m.Header {
		if _, code, ok := strings.Cut(h.Value, `error="`); ok && h.Name == "WWW-Authenticate" {
			code, _, _ = strings.Cut(code, `"`)
			return code
		}
	}
	return http.StatusText(m.Status)
}
