package e2e

import (
	"net/http"
	"strings"
	"testing"

	"gatelodge/internal/sqldb"
)

// runLooks looks at a run of the flow, from its beginning to its end.
func runLooks(t *testing.T, l *looks) {
	s := serve(t, sqldb.SQLite)
	p := ada.develop(t, s)
	app := downloader.create(p)
	general := strings.TrimSuffix(strings.SplitN(p.address(), "?", 2)[0], "/web-settings")
	run := general + "/run"

	p.open(run)
	l.at(p, "run")
	p.press("Login with Amazon")
	l.at(p, "run-amazon")
	p.click("profile")
	p.pressWith(http.StatusUnprocessableEntity, "Run the flow")
	l.at(p, "run-wrong")

	p.open(run)
	p.press("Run the flow")
	p.press("Cancel")
	p.sees("The user did not allow it")
	l.at(p, "run-cancelled")
	p.press("Start again")
	p.press("Run the flow")
	p.press("Allow")
	p.sees("Ask the user", "Take the answer", "The state is the one that was sent.")
	l.at(p, "run-answer")
	answer := p.address()
	p.press("Exchange the code")
	p.sees("Claims of the ID token", "Read the profile", ada.email)
	p.lacks(app.clientSecret)
	l.at(p, "run-tokens")
	p.click("Go")
	p.sees("oauth2.Config")
	p.press("Refresh")
	p.sees("Later, and as often as needed", "oauth2.Config")
	l.at(p, "run-refreshed")
	p.press("Revoke")
	p.sees("Refused, as it has to be")
	l.at(p, "run-revoked")

	p.open(answer)
	p.press("Exchange the code")
	p.sees("Refused: invalid_grant")
	l.at(p, "run-refused")
	p.openWith(strings.Replace(answer, "state=", "state=x", 1), http.StatusUnprocessableEntity)
	l.at(p, "run-lost")

	p.open(run + "?dialect=amazon")
	p.press("Run the flow")
	if p.has("Allow") {
		p.press("Allow")
	}
	p.press("Exchange the code")
	p.sees("Look at the token", "app_id")
	l.at(p, "run-amazon-tokens")

	for _, kind := range []string{"Device", "Service"} {
		p.open(general + "/settings")
		p.click(kind)
		p.press("Save")
		p.open(run)
		l.at(p, "run-"+strings.ToLower(kind))
	}
	p.press("Run the flow")
	p.sees("There is no refresh token")
	l.at(p, "run-service-token")
}
