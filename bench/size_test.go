package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"gatelodge/internal/account"
	"gatelodge/internal/audit"
	"gatelodge/internal/keyring"
	"gatelodge/internal/live"
	"gatelodge/internal/mail"
	"gatelodge/internal/oauth"
	"gatelodge/internal/server"
	"gatelodge/internal/signin"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/store"
	"gatelodge/internal/store/storetest"
)

// movedVariable makes this program a server whose clock is moved.
const movedVariable = "GATELODGE_BENCH_MOVED"

// moved says what such a server runs on.
type moved struct {
	Database, KeyFile, Issuer string
	Clock                     int64 // Unix microseconds
}

func (m moved) config() sqldb.Config {
	if filepath.IsAbs(m.Database) {
		return sqldb.Config{Path: m.Database}
	}
	return sqldb.Config{URL: m.Database}
}

// say is for results of a run of minutes: the testing package cuts what is long.
func say(format string, args ...any) { fmt.Printf(format+"\n", args...) }

// cheap keeps a day of sign-ins short; what they write does not depend on it.
func cheap() account.Cost { return account.Cost{MemoryKiB: 8, Passes: 1, Threads: 1} }

// serveMoved runs a server as the command does, but for the clock.
func serveMoved() error {
	var m moved
	if err := json.Unmarshal([]byte(os.Getenv(movedVariable)), &m); err != nil {
		return err
	}
	debug.SetGCPercent(400) // as the command does
	ring, err := keyring.Load(m.KeyFile)
	if err != nil {
		return err
	}
	var clock atomic.Int64
	clock.Store(m.Clock)
	s, err := server.New(context.Background(), server.Config{
		Database: m.config(), Ring: ring, Issuer: m.Issuer, Namespace: storetest.Namespace, SignUp: signin.Open,
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Logger:         slog.New(slog.NewJSONHandler(io.Discard, nil)), Mail: letters{}, PasswordCost: cheap(), FreeMemory: debug.FreeOSMemory,
		Now: func() time.Time { return time.UnixMicro(clock.Load()) },
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", s.Handler())
	mux.HandleFunc("POST "+clockPath+"{at}", func(_ http.ResponseWriter, r *http.Request) {
		if at, err := strconv.ParseInt(r.PathValue("at"), 10, 64); err == nil {
			clock.Store(at)
		}
	})
	web := &http.Server{Addr: strings.TrimPrefix(m.Issuer, "http://"), Handler: mux}
	ended, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() {
		<-ended.Done()
		web.Close()
	}()
	fmt.Printf("{\"issuer\":%q}\n", m.Issuer)
	if err := web.ListenAndServe(); err != http.ErrServerClosed {
		return err
	}
	return s.Close()
}

// clockPath is where such a server is told the time, in Unix microseconds.
const clockPath = "/bench/clock/"

// town is a filled database with a server on it, and what its applications know.
type town struct {
	storetest.Filled
	*process
	set moved

	passing sync.Mutex
	clock   atomic.Int64

	db     *sqldb.DB
	store  *store.Store
	view   *live.View
	scopes oauth.ScopeSet // of each grant
	openID oauth.ScopeSet
}

// settle fills a database and serves it.
func settle(b *testing.B, database sqldb.Config, accounts, profiles, grants int) *town {
	b.Helper()
	t := fill(b, database, accounts, profiles, grants)
	t.open(b)
	return t
}

func fill(b *testing.B, database sqldb.Config, accounts, profiles, grants int) *town {
	b.Helper()
	if runtime.GOOS != "linux" {
		b.Skip("reads the processor time from /proc")
	}
	dir := b.TempDir()
	now := time.Now().UTC().Truncate(time.Second)
	t := &town{set: moved{KeyFile: filepath.Join(dir, "key-encryption-keys"), Issuer: "http://" + freeAddress(b), Clock: now.UnixMicro()}}
	t.clock.Store(t.set.Clock)
	if t.set.Database = database.URL; t.set.Database == "" {
		database.Path = filepath.Join(dir, "gatelodge.db")
		t.set.Database = database.Path
	}
	ring, err := keyring.Create(t.set.KeyFile)
	if err != nil {
		b.Fatal(err)
	}
	ctx := b.Context()
	if t.db, t.store, err = server.OpenStore(ctx, database, ring); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { t.db.Close() })
	if _, err := t.store.Identify(ctx, string(storetest.Namespace), now); err != nil {
		b.Fatal(err)
	}
	if err := t.store.RememberIssuer(ctx, t.set.Issuer); err != nil {
		b.Fatal(err)
	}
	if t.view, err = live.New(ctx, t.store, t.set.Issuer, slog.New(slog.DiscardHandler)); err != nil {
		b.Fatal(err)
	}
	known, err := t.view.Scopes(ctx)
	if err != nil {
		b.Fatal(err)
	}
	t.scopes, _ = known.Parse([]string{"openid", "profile"})
	t.openID, _ = known.Parse([]string{"openid"})
	hash, err := account.NewHasher(account.HasherOptions{}).Hash(ctx, password)
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	t.Filled, err = storetest.Fill(ctx, t.db, t.store, storetest.Size{
		Accounts: accounts, Profiles: profiles, Grants: grants, Scopes: t.scopes, PasswordHash: hash, By: audit.By{At: now},
	})
	if err != nil {
		b.Fatal(err)
	}
	say("%d profiles and %d grants filled in %v: %s", profiles, grants, time.Since(began).Round(time.Second), t.storage(b))
	return t
}

const password = "Bench passphrase 99!"

// open starts the server.
func (t *town) open(b *testing.B) {
	b.Helper()
	t.set.Clock = t.clock.Load()
	set, err := json.Marshal(t.set)
	if err != nil {
		b.Fatal(err)
	}
	t.process = start(b, []string{movedVariable + "=" + string(set)}, os.Args[0])
}

// pass lets time pass for the server. When it returns the server knows.
func (t *town) pass(client *http.Client, d time.Duration) error {
	t.passing.Lock() // or the clock would go back
	defer t.passing.Unlock()
	at := t.clock.Load() + d.Microseconds()
	if _, err := answered(client, post(t.base+clockPath+strconv.FormatInt(at, 10), nil)()); err != nil {
		return err
	}
	t.clock.Store(at)
	return nil
}

// stop ends the server.
func (t *town) stop() {
	t.cmd.Process.Signal(syscall.SIGTERM)
	t.cmd.Wait()
}

// openReal starts the command on the database, and tells how long it took until it
// answered.
func (t *town) openReal(b *testing.B) time.Duration {
	b.Helper()
	binary := built(b, "gatelodge")
	args := []string{"serve", "--json", "--issuer", t.set.Issuer, "--listen", t.set.Issuer[len("http://"):], "--key-file", t.set.KeyFile}
	if t.db.Dialect() == sqldb.SQLite {
		args = append(args, "--data", filepath.Dir(t.set.Database))
	} else {
		args = append(args, "--database", t.set.Database)
	}
	began := time.Now()
	t.process = start(b, nil, binary, args...)
	if _, err := answered(newClient(), get(t.base+"/")); err != nil {
		b.Fatal(err)
	}
	t.clock.Store(time.Now().UnixMicro())
	return time.Since(began)
}

func (t *town) now() time.Time { return time.UnixMicro(t.clock.Load()) }

// freeAddress is a loopback address that nobody listens on. The issuer has to be known
// before its server starts.
func freeAddress(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// letters is a mail server that throws everything away.
type letters struct{}

func (letters) Send(context.Context, mail.Message) error { return nil }
