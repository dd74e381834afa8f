package e2e

import (
	"net/http"
	"testing"

	"gatelodge/internal/sqldb"
)

// TestHintTakesNoPressAway: leaving a field with a mistake in it shows a hint. When
// it is left by pressing Save, the button must not move from under the pointer.
func TestHintTakesNoPressAway(t *testing.T) {
	t.Parallel()
	p := ada.develop(t, serve(t, sqldb.SQLite))
	p.open("/console/profiles/new")
	// With scripts loaded, the counters are there.
	p.sees("0 of 50")
	p.fill("Consent Privacy Notice URL", "reports.example.com")
	p.pressWith(http.StatusUnprocessableEntity, "Save")

	p.open("/console/profiles/new")
	p.sees("0 of 50")
	p.fill("Consent Privacy Notice URL", "reports.example.com")
	p.fill("Security Profile Name", "Leaves the field by the keyboard")
	p.sees("Write the whole address")
}
