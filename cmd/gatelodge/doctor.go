package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gatelodge/internal/config"
	"gatelodge/internal/keyring"
	"gatelodge/internal/server"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/store"
)

// finding is one line of the doctor's report.
type finding struct {
	Check string  `json:"check"`
	Level verdict `json:"level"`
	What  string  `json:"what"`
	// Do says what helps; there is nothing to do where all is well.
	Do string `json:"do,omitempty"`
}

type verdict string

const (
	good    verdict = "ok"
	warning verdict = "warning"
	problem verdict = "problem"
)

// errUnwell ends the doctor's visit when it found a problem.
var errUnwell = errors.New("there are problems")

func newDoctor() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what is wrong, and say what to do",
		Long: `Look for what is wrong, and say what to do. It takes the settings of serve, changes
nothing, sends no mail, and can be run beside a server or without one.

Each line is ok, a warning or a problem. The exit code is 1 when there is a problem.
With --metrics, the address of the running server's second listener, it asks that
server whether it is ready.`,
		Args: noArgs,
	}
	config.Flags(cmd.Flags())
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		d := &doctor{out: cmd.OutOrStdout(), asJSON: *asJSON}
		cfg, err := config.Load(cmd.Flags(), os.Environ())
		if err != nil {
			for _, err := range parts(err) {
				d.tell("configuration", problem, err.Error(), "correct the setting: nothing else was looked at")
			}
			return d.end()
		}
		d.cfg = cfg
		d.examine(cmd.Context())
		return d.end()
	}
	return cmd
}

// parts are the errors that errors.Join has joined.
func parts(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// doctor looks at one installation.
type doctor struct {
	cfg    config.Config
	out    io.Writer
	asJSON bool

	problems, warnings int
	err                error // of writing
}

func (d *doctor) tell(check string, level verdict, what, do string) {
	switch level {
	case problem:
		d.problems++
	case warning:
		d.warnings++
	}
	var err error
	if d.asJSON {
		var line []byte
		if line, err = json.Marshal(finding{check, level, what, do}); err == nil {
			_, err = fmt.Fprintf(d.out, "%s\n", line)
		}
	} else {
		_, err = fmt.Fprintf(d.out, "%-8s %-14s %s\n", level, check, what)
		if do != "" {
			fmt.Fprintf(d.out, "%23s → %s\n", "", do)
		}
	}
	d.err = errors.Join(d.err, err)
}

func (d *doctor) ok(check, format string, args ...any) {
	d.tell(check, good, fmt.Sprintf(format, args...), "")
}

func (d *doctor) end() error {
	if !d.asJSON {
		fmt.Fprintf(d.out, "\n%s, %s\n", counted(d.problems, "problem"), counted(d.warnings, "warning"))
	}
	if d.problems > 0 {
		return errors.Join(d.err, errUnwell)
	}
	return d.err
}

func counted(n int, what string) string {
	switch n {
	case 0:
		return "no " + what + "s"
	case 1:
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (d *doctor) examine(ctx context.Context) {
	d.settings()
	issuer := d.cfg.Issuer
	var keys []store.SigningKey
	if in := d.database(ctx, d.keyFile()); in != nil {
		keys = in.signing
		issuer = cmp.Or(issuer, in.issuer)
	}
	d.mail(ctx)
	d.issuer(ctx, cmp.Or(issuer, defaultIssuer), keys)
	d.ready(ctx)
}

// settings looks at what is good by itself and may be wrong together.
func (d *doctor) settings() {
	if err := d.cfg.Validate(); err != nil {
		d.tell("configuration", problem, err.Error(), "serve refuses to start like this")
	} else {
		d.ok("configuration", "sign-up is %s, applications that register themselves: %s", d.cfg.SignUp, d.cfg.Registration)
	}
	if d.cfg.OnLoopback() {
		d.ok("proxies", "the issuer is on this machine: there need be no proxy")
		return
	}
	if d.cfg.Contact == "" {
		d.tell("configuration", warning, "people who need help find no address", "give --contact a mail or web address")
	}
	all := false
	for _, p := range d.cfg.TrustedProxies {
		all = all || p.Bits() == 0
	}
	switch {
	case all:
		d.tell("proxies", problem, "forwarding headers are believed whoever sends them: anybody can pose as any address, and limits by address limit nobody",
			"give --trusted-proxies the addresses of the proxies alone")
	case len(d.cfg.TrustedProxies) == 0:
		d.tell("proxies", warning, "no proxy's forwarding headers are believed: if one ends TLS for this server, all people share its address, and limits by address hit all of them together",
			"give --trusted-proxies the proxy's address, such as 127.0.0.1")
	default:
		d.ok("proxies", "forwarding headers are believed from %s", strings.Trim(fmt.Sprint(d.cfg.TrustedProxies), "[]"))
	}
}

// keyFile looks at the key-encryption keys. It makes none.
func (d *doctor) keyFile() *keyring.Ring {
	ring, err := keyring.Load(d.cfg.KeyFile)
	switch _, open := errors.AsType[*keyring.PermissionError](err); {
	case err == nil:
		d.ok("key file", "%s holds %s; the newest is %s", d.cfg.KeyFile, counted(len(ring.Fingerprints()), "key"), ring.Fingerprints()[0])
	case open:
		d.tell("key file", problem, err.Error(), "whoever could read it may have a copy: after chmod 600, run gatelodge key rotate --kind encryption")
	case errors.Is(err, os.ErrNotExist) && missing(databaseConfig(d.cfg)):
		d.tell("key file", warning, "there is none yet, and no database", "gatelodge serve makes both; or is --data another folder?")
	case errors.Is(err, os.ErrNotExist):
		d.tell("key file", problem, fmt.Sprintf("%s is not there, and the database cannot be used without it", d.cfg.KeyFile), "put back the copy that is kept apart from the backups, with mode 0600, or name it with --key-file")
	default:
		d.tell("key file", problem, err.Error(), "put back the copy that is kept apart from the backups")
	}
	return ring
}

// insides is what the database says of itself.
type insides struct {
	issuer  string
	signing []store.SigningKey
}

const askFor = 15 * time.Second

// database looks at all of it, or without its keys at what is not sealed.
func (d *doctor) database(ctx context.Context, ring *keyring.Ring) *insides {
	where := databaseConfig(d.cfg)
	if missing(where) {
		if ring != nil { // else it was said already
			d.tell("database", warning, fmt.Sprintf("there is none at %s yet", where.Path), "gatelodge serve makes it; or is --data another folder?")
		}
		return nil
	}
	d.files(where)
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	db, err := sqldb.Open(ctx, where)
	if err != nil {
		do := "is the database server running, may this machine connect to it, and are user and password right?"
		if where.URL == "" {
			do = "run the doctor as the user that serve runs as; if it cannot open the file either, gatelodge restore puts back a backup"
		}
		d.tell("database", problem, err.Error(), do)
		return nil
	}
	defer func() {
		if err := db.Close(); err != nil {
			d.tell("database", problem, err.Error(), "")
		}
	}()
	d.facts(ctx, db)
	if !d.schema(ctx, db) || ring == nil {
		return nil
	}
	return d.contents(ctx, store.New(db, ring))
}

// files looks at whose the files of the embedded database are, and who may use them.
func (d *doctor) files(where sqldb.Config) {
	if where.URL != "" {
		return
	}
	folder := filepath.Dir(where.Path)
	of, err := os.Stat(folder)
	if err != nil {
		d.tell("files", problem, err.Error(), "run the doctor as the user that serve runs as")
		return
	}
	owner, _ := ownerOf(of)
	well := true
	for _, path := range []string{folder, where.Path, where.Path + "-wal", where.Path + "-shm", where.Path + "-lock"} {
		info, err := os.Stat(path)
		if err != nil {
			continue // not each is always there
		}
		if has, known := ownerOf(info); known && has != owner {
			well = false
			d.tell("files", problem, fmt.Sprintf("%s belongs to %s, and its folder to %s", path, userName(has), userName(owner)),
				fmt.Sprintf("run chown %s on it, and commands as that user", userName(owner)))
		}
		if info.Mode().Perm()&0o077 != 0 {
			well = false
			mode, do := info.Mode().Perm(), "run chmod 600 on it"
			if info.IsDir() {
				do = "run chmod 700 on it"
			}
			d.tell("files", problem, fmt.Sprintf("%s can be used by others than its owner (mode %04o)", path, mode), do)
		}
	}
	if well {
		d.ok("files", "%s and what is in it are their owner's alone", folder)
	}
}

// schema reports whether this program can read the database.
func (d *doctor) schema(ctx context.Context, db *sqldb.DB) bool {
	current, newest, err := db.SchemaVersion(ctx, store.Migrations())
	switch {
	case err != nil:
		d.tell("schema", problem, err.Error(), "the server's log may say more")
	case current == 0:
		d.tell("schema", warning, "the database is empty", "gatelodge serve sets it up; or is it another database?")
	case current > newest:
		d.tell("schema", problem, fmt.Sprintf("version %d is newer than this program's (%d)", current, newest), "run the newer program")
	case current < newest && db.Dialect() == sqldb.Postgres:
		d.tell("schema", problem, fmt.Sprintf("version %d is older than this program's (%d)", current, newest), "run gatelodge migrate once")
	case current < newest:
		d.tell("schema", warning, fmt.Sprintf("version %d is older than this program's (%d)", current, newest), "serve brings it up to date when it starts; run gatelodge backup before")
		return false
	default:
		d.ok("schema", "version %d, this program's", current)
		return true
	}
	return false
}

// contents looks at what is in the database.
func (d *doctor) contents(ctx context.Context, st *store.Store) *insides {
	sum, err := st.Inspect(ctx)
	_, wrongKey := errors.AsType[*store.WrongKeyError](err)
	switch {
	case wrongKey:
		d.tell("key file", problem, err.Error(), "give the server the key file that belongs to this database")
		return nil
	case errors.Is(err, store.ErrNotSetUp):
		d.tell("contents", warning, server.ErrNoDatabase.Error(), "")
		return nil
	case err != nil:
		d.tell("contents", problem, err.Error(), "gatelodge restore puts back a backup")
		return nil
	}
	d.ok("contents", "%d accounts, %d security profiles, %d consents", sum.Accounts, sum.Profiles, sum.Grants)
	if ns := string(d.cfg.Namespace); ns != sum.Identity.Namespace {
		d.tell("configuration", problem, fmt.Sprintf("--namespace is %q, and the database's identifiers begin with %q for good", ns, sum.Identity.Namespace),
			"give --namespace "+sum.Identity.Namespace)
	}
	if is := sum.Identity.Issuer; d.cfg.Issuer != "" && is != "" && is != d.cfg.Issuer {
		d.tell("issuer", warning, fmt.Sprintf("the server last ran as %s, the setting says %s: tokens and codes of the one are not good at the other", is, d.cfg.Issuer),
			"keep the issuer, unless the site moves for good")
	}
	in := &insides{issuer: sum.Identity.Issuer}
	in.signing = d.keys(ctx, st)
	return in
}
