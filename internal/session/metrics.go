package session

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"gatelodge/internal/account"
)

// signInMeter counts sign-ins by password.
type signInMeter struct{ right, wrong, slowed, busy, failed prometheus.Counter }

func newSignInMeter(reg prometheus.Registerer) signInMeter {
	all := promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
		Name: "sign_ins_total", Help: "Attempts to sign in by a password, by what came of them.",
	}, []string{"outcome"})
	return signInMeter{
		right: all.WithLabelValues("signed_in"), wrong: all.WithLabelValues("wrong_password"), slowed: all.WithLabelValues("slowed_down"),
		busy: all.WithLabelValues("busy"), failed: all.WithLabelValues("failed"),
	}
}

func (m *signInMeter) count(err error) {
	_, slowed := errors.AsType[*SlowDownError](err)
	switch {
	case err == nil:
		m.right.Inc()
	case errors.Is(err, ErrWrongPassword):
		m.wrong.Inc()
	case slowed:
		m.slowed.Inc()
	case errors.Is(err, account.ErrBusy):
		m.busy.Inc()
	default:
		m.failed.Inc()
	}
}
