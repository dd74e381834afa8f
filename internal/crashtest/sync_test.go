package crashtest

import (
	"database/sql"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver named pgx

	"gatelodge/internal/sqldb"
)

// TestEachExchangeReachesTheDisk counts the system calls that bring a file to the
// disk: being killed does not lose what the kernel has, pulling the plug does.
func TestEachExchangeReachesTheDisk(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("strace is not installed")
		}
		t.Skip("strace is not installed")
	}
	p := newPlace(t, sqldb.SQLite)
	trace := filepath.Join(t.TempDir(), "trace")
	s := p.start(t, strace, "-f", "-qq", "-e", "trace=fsync,fdatasync", "-o", trace)
	cookie := s.signIn(t)
	count := func() int {
		text, err := os.ReadFile(trace)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(text), "sync(")
	}
	const exchanges = 25
	before := count()
	for range exchanges {
		code, err := s.code(p, cookie)
		if err != nil {
			t.Fatal(err)
		}
		if status, problem, err := s.redeem(p, code); err != nil || status != http.StatusOK {
			t.Fatal(status, problem, err)
		}
	}
	if after := count(); after-before < exchanges {
		t.Errorf("%d exchanges one after the other, and %d syncs", exchanges, after-before)
	}
}

// TestPostgresCommitsReachTheDisk: the server decides, so it is asked.
func TestPostgresCommitsReachTheDisk(t *testing.T) {
	p := newPlace(t, sqldb.Postgres)
	db, err := sql.Open("pgx", p.config.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, setting := range []string{"fsync", "synchronous_commit", "full_page_writes"} {
		var value string
		if err := db.QueryRowContext(t.Context(), "SHOW "+setting).Scan(&value); err != nil {
			t.Fatal(err)
		}
		if value != "on" {
			t.Errorf("%s is %s", setting, value)
		}
	}
}
