package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"gatelodge/guard"
	"gatelodge/internal/web"
)

// refusal is an answer that is none. Its words go into a header too: ASCII without
// quotes.
type refusal struct {
	status int
	code   string
	words  string
	// missing are the halves that a call lacks.
	missing []half
	// challenge is the value of WWW-Authenticate, "" for none.
	challenge string
	// retryAfter is when to try again, 0 where that is said already or does not help.
	retryAfter time.Duration
}

// half is a part of the rights of a call.
type half string

const (
	halfScope       half = "scope"       // of the token
	halfUser        half = "user"        // who the call is for
	halfPermission  half = "permission"  // of the user in the account
	halfApplication half = "application" // that the account has let in
)

func (e *refusal) Error() string { return "api: " + e.code + ": " + e.words }

func notFound(words string) *refusal {
	return &refusal{status: http.StatusNotFound, code: "not_found", words: words}
}

func methodNotAllowed() *refusal {
	return &refusal{status: http.StatusMethodNotAllowed, code: "method_not_allowed", words: "This can only be read: use GET."}
}

func invalidRequest(words string) *refusal {
	return &refusal{status: http.StatusBadRequest, code: "invalid_request", words: words}
}

func tooManyRequests() *refusal {
	return &refusal{status: http.StatusTooManyRequests, code: "too_many_requests",
		words: "The application calls too often for this user: wait as many seconds as the Retry-After header says."}
}

// lacking is the refusal of a call whose token is good, and not enough: higher
// privileges than it provides are needed (RFC 6750 section 3.1).
func lacking(words string, missing ...half) *refusal {
	e := &guard.Error{Status: http.StatusForbidden, Code: "insufficient_scope", Description: words}
	return &refusal{status: e.Status, code: e.Code, words: words, missing: missing, challenge: e.Challenge()}
}

// fromGuard is the refusal of a token.
func fromGuard(e *guard.Error) *refusal {
	refused := &refusal{status: e.Status, code: e.Code, words: e.Description, challenge: e.Challenge()}
	switch {
	case e.RetryAfter > 0:
		refused.challenge, refused.retryAfter = "", e.RetryAfter
	case e.Code == "":
		// RFC 6750 section 3.1: the challenge of a request without a token has no code.
		refused.code, refused.words = "invalid_token", "The request has no access token: send it as Authorization: Bearer."
	case len(e.Scopes) > 0:
		refused.missing = []half{halfScope}
		refused.words = "The access token lacks the scope " + strings.Join(e.Scopes, " ") + ": the user has to authorize the application for it."
	}
	return refused
}

// unavailable is a refusal that passes by itself.
func unavailable(words string) *refusal {
	return &refusal{status: http.StatusServiceUnavailable, code: "temporarily_unavailable", words: words, retryAfter: time.Second}
}

func (e *refusal) write(w http.ResponseWriter, r *http.Request) error {
	web.LogAttr(r.Context(), slog.String("refused", e.words))
	h := w.Header()
	if e.challenge != "" {
		h.Set("WWW-Authenticate", e.challenge)
	}
	if e.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(e.retryAfter.Seconds()))))
	}
	h.Set("Cache-Control", "no-store")
	body, err := encode(struct {
		Code      string `json:"error"`
		Words     string `json:"error_description"`
		Missing   []half `json:"missing,omitempty"`
		RequestID string `json:"request_id"`
	}{e.code, e.words, e.missing, web.RequestID(r.Context())})
	if err != nil {
		return err
	}
	return send(w, r, e.status, body)
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // addresses stay readable; nosniff keeps it JSON
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

func send(w http.ResponseWriter, r *http.Request, status int, body []byte) error {
	h := w.Header()
	h["Content-Type"] = jsonType
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return nil
	}
	_, err := w.Write(body)
	return err
}

// sendCurrent sends a body unless the caller has it already (RFC 9110 section 13.1.2).
func sendCurrent(w http.ResponseWriter, r *http.Request, body []byte) error {
	sum := sha256.Sum256(body)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	w.Header()["Etag"] = []string{tag}
	if matches(r.Header["If-None-Match"], tag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return send(w, r, http.StatusOK, body)
}

// matches compares weakly: intermediaries that compress make tags weak.
func matches(headers []string, tag string) bool {
	for _, line := range headers {
		for candidate := range strings.SplitSeq(line, ",") { // none of ours has a comma
			candidate = strings.TrimSpace(candidate)
			if candidate == "*" || strings.TrimPrefix(candidate, "W/") == tag {
				return true
			}
		}
	}
	return false
}
