package provider

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"gatelodge/internal/oauth"
)

// Labels of the counters of token requests. What else a stranger sends is "other".
var (
	meteredGrants   = [...]oauth.GrantType{"other", oauth.GrantAuthorizationCode, oauth.GrantRefreshToken, oauth.GrantClientCredentials, oauth.GrantDeviceCode}
	meteredOutcomes = [...]oauth.ErrorCode{
		"other", "issued", oauth.InvalidRequest, oauth.InvalidClient, oauth.InvalidGrant, oauth.UnauthorizedClient,
		oauth.UnsupportedGrantType, oauth.InvalidScope, oauth.InvalidTarget, oauth.AuthorizationPending, oauth.SlowDown,
		oauth.AccessDenied, oauth.ExpiredToken, oauth.InvalidCodePair, oauth.InvalidDPoPProof, oauth.UseDPoPNonce, oauth.TemporarilyUnavailable,
	}
)

// tokenMeter counts token requests. The counters are looked up by their labels when
// the server starts, and not again.
type tokenMeter [len(meteredGrants)][len(meteredOutcomes)]prometheus.Counter

func newTokenMeter(reg prometheus.Registerer) *tokenMeter {
	requests := promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
		Name: "token_requests_total", Help: "Requests for tokens, by grant type and by what came of them: issued, or the error code.",
	}, []string{"grant_type", "outcome"})
	m := &tokenMeter{}
	for i, grant := range meteredGrants {
		name := string(grant)
		if grant == oauth.GrantDeviceCode {
			name = "device_code" // the registered name is a URN
		}
		for j, outcome := range meteredOutcomes {
			m[i][j] = requests.WithLabelValues(name, string(outcome))
		}
	}
	return m
}

// count notes what came of a request.
func (m *tokenMeter) count(x *exchange, err error) {
	grant := x.request.GrantType
	if grant == "" { // refused before it was read
		grant = oauth.GrantType(x.values.Get("grant_type"))
	}
	outcome := oauth.ErrorCode("issued")
	if err != nil {
		outcome = oauth.TemporarilyUnavailable
		if e, ok := errors.AsType[*oauth.Error](err); ok {
			outcome = e.Code
		}
	}
	m[place(meteredGrants[:], grant)][place(meteredOutcomes[:], outcome)].Inc()
}

// place finds a label, or the first, which stands for all others.
func place[T comparable](labels []T, label T) int {
	for i := 1; i < len(labels); i++ {
		if labels[i] == label {
			return i
		}
	}
	return 0
}
