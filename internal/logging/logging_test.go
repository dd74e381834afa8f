package logging_test

import (
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"gatelodge/internal/logging"
)

// TestLogGoesOn: after a write that failed, as on a disk that was full, later lines are
// written.
func TestLogGoesOn(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	logger, flush := logging.New(w)
	if err := w.SetWriteDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	logger.Warn("lost")
	if err := w.SetWriteDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	logger.Warn("written")
	flush()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil || !strings.Contains(string(text), `"msg":"written"`) {
		t.Errorf("the log has %q: %v", text, err)
	}
}
