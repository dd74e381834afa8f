package bench

import (
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	_ "modernc.org/sqlite"
)

// commitVariable names a SQLite file in which the floor keeps a row for each request.
const commitVariable = "GATELODGE_BENCH_COMMIT"

// commits is what no server that keeps a row durably can be cheaper than: a handler
// that hands the key to one writer, and a writer that commits all that waits at once.
func commits(file string) (http.HandlerFunc, error) {
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(wal)&_pragma=synchronous(full)&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(`CREATE TABLE tokens (digest BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID`); err != nil {
		return nil, err
	}
	insert, err := db.Prepare(`INSERT INTO tokens (digest, value) VALUES (?, ?)`)
	if err != nil {
		return nil, err
	}
	type waiting struct {
		digest [sha256.Size]byte
		done   chan error
	}
	queue := make(chan waiting, 1024)
	value := make([]byte, 160)
	commit := func(group []waiting) error {
		tx, err := db.Begin()
		if err != nil {
			return err
		}
		defer tx.Rollback()
		stmt := tx.Stmt(insert)
		for _, w := range group {
			if _, err := stmt.Exec(w.digest[:], value); err != nil {
				return err
			}
		}
		return tx.Commit()
	}
	go func() {
		for first := range queue {
			group := []waiting{first}
			runtime.Gosched()
			for len(queue) > 0 {
				group = append(group, <-queue)
			}
			err := commit(group)
			for _, w := range group {
				w.done <- err
			}
		}
	}()
	return func(w http.ResponseWriter, r *http.Request) {
		var raw [32]byte
		rand.Read(raw[:])
		token := base64.RawURLEncoding.EncodeToString(raw[:])
		one := waiting{sha256.Sum256([]byte(token)), make(chan error, 1)}
		err := r.ParseForm()
		if err == nil {
			queue <- one
			err = <-one.done
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		fmt.Fprintf(w, `{"access_token":%q,"token_type":"bearer","expires_in":3600,"refresh_token":%q}`, token, token+token)
	}, nil
}

// BenchmarkCommitFloor is the floor of whatever commits once: a rotating refresh.
func BenchmarkCommitFloor(b *testing.B) {
	p := start(b, []string{floorVariable + "=1", commitVariable + "=" + filepath.Join(b.TempDir(), "floor.db")}, os.Args[0])
	drive(b, p, post(p.base, world{id: "floor", secret: "floor"}.refreshForm("floor")))
}
