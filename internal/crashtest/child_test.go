package crashtest

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"testing"

	"gatelodge/internal/account"
	"gatelodge/internal/keyring"
	"gatelodge/internal/server"
	"gatelodge/internal/sqldb"
)

// The environment of the second process: the server that is killed.
const (
	pathVariable = "GATELODGE_CRASH_PATH"
	urlVariable  = "GATELODGE_CRASH_URL"
	keyVariable  = "GATELODGE_CRASH_KEYS"
	// issuer stays the same over all starts: sealed values are bound to it.
	issuer    = "http://localhost:8080"
	namespace = "amzn1"
)

// cheap makes signing in fast: passwords are not what is tested here.
func cheap() account.Cost { return account.Cost{MemoryKiB: 8, Passes: 1, Threads: 1} }

func TestMain(m *testing.M) {
	if os.Getenv(keyVariable) != "" {
		if err := serve(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// serve runs the server until it is killed, and prints where it listens.
func serve() error {
	ring, err := keyring.Load(os.Getenv(keyVariable))
	if err != nil {
		return err
	}
	s, err := server.New(context.Background(), server.Config{
		Database: sqldb.Config{Path: os.Getenv(pathVariable), URL: os.Getenv(urlVariable)},
		Ring:     ring, Issuer: issuer, Namespace: namespace, PasswordCost: cheap(),
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("http://" + l.Addr().String())
	return http.Serve(l, s.Handler())
}
