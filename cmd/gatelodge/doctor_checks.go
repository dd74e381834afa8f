package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"gatelodge/internal/authz"
	"gatelodge/internal/config"
	"gatelodge/internal/mail"
	"gatelodge/internal/signing"
	"gatelodge/internal/sqldb"
	"gatelodge/internal/store"
)

const (
	// certificateSoon is when a certificate that nobody has renewed is a warning.
	certificateSoon = 14 * 24 * time.Hour
	// sealingOld is when a sealing key should be followed by another.
	sealingOld = 400 * 24 * time.Hour
	// manySealing of the 255 sealing keys that there can be.
	manySealing = 200
	// diskLow and diskFull are free bytes.
	diskLow, diskFull = 1 << 30, 64 << 20
	// asks is how often each thing is asked for at the issuer's address: there may be
	// several servers behind it, in turn, and one of them another's.
	asks = 4
	// besidePool is what a server connects beside its pool: to write, to follow the feed
	// and to be notified.
	besidePool = 3
)

// facts looks at the database's own settings and state.
func (d *doctor) facts(ctx context.Context, db *sqldb.DB) {
	f, err := db.Facts(ctx)
	if err != nil {
		d.tell("database", problem, err.Error(), "the database's log may say more")
		return
	}
	d.ok("database", "%s %s answers", db.Dialect(), f.Version)
	if db.Dialect() == sqldb.Postgres {
		d.postgres(f, db.PoolLimit())
		d.clock(f)
		return
	}
	if len(f.Damage) > 0 {
		d.tell("database", problem, "the file is damaged: "+strings.Join(f.Damage, "; "), "stop the server, keep the file, and gatelodge restore the newest backup; look at the disk")
	}
	if f.JournalMode != "wal" {
		d.tell("database", problem, "the journal mode is "+f.JournalMode+" and not wal: readers and the writer wait for one another", "is the folder on a network drive? It has to be on a disk of this machine")
	}
	size := fmt.Sprintf("the file has %s, the disk %s left", amount(f.Size), amount(f.Free))
	switch {
	case f.Free < 0:
		d.ok("disk", "the file has %s", amount(f.Size))
	case f.Free < diskFull:
		d.tell("disk", problem, size, "make room: nothing can be written soon")
	case f.Free < diskLow || f.Free < f.Size:
		d.tell("disk", warning, size, "make room: a backup beside it would not fit, or growth is near its end")
	default:
		d.ok("disk", "%s", size)
	}
	d.ok("clock", "the database has none of its own")
}

func (d *doctor) postgres(f sqldb.Facts, pool int) {
	if f.ReadOnly {
		d.tell("database", problem, "this server of the database only reads: it is a standby, or set so", "let --database lead to the primary; several hosts and target_session_attrs=read-write in the address find it")
	}
	if f.SynchronousCommit == "off" {
		d.tell("database", problem, "synchronous_commit is off: what was acknowledged can be lost, and a code be redeemed twice", "set it to on for this database or user")
	}
	if f.Fsync == "off" {
		d.tell("database", problem, "fsync is off: a crash of the machine can damage the database", "set it to on")
	}
	if f.Isolation != "read committed" {
		d.tell("database", problem, "default_transaction_isolation is "+f.Isolation+": transactions fail that would wait for one another", "set it to read committed for this database or user")
	}
	each := pool + besidePool
	room := fmt.Sprintf("max_connections is %d, %d are open, and each server takes up to %d", f.MaxConnections, f.Connections, each)
	if f.MaxConnections < f.Connections+each {
		d.tell("connections", warning, room, fmt.Sprintf("raise max_connections to %d for each server and some for the rest", each))
		return
	}
	d.ok("connections", "%s", room)
}

// clock compares the database's clock with this machine's: codes and proofs are
// counted by times that several machines have to agree on.
func (d *doctor) clock(f sqldb.Facts) {
	apart := f.Clock.Sub(f.Asked)
	if apart > 0 {
		apart = max(0, f.Clock.Sub(f.Answered))
	}
	off := fmt.Sprintf("the database's clock and this machine's are %v apart", apart.Abs().Round(time.Millisecond))
	switch {
	case apart.Abs() > authz.ClockSkew:
		d.tell("clock", problem, off, fmt.Sprintf("set both by NTP; up to %v are good", authz.ClockSkew))
	case apart.Abs() > time.Second:
		d.tell("clock", warning, off, "set both by NTP")
	default:
		d.ok("clock", "%s at most", off)
	}
}

// keys looks at the keys in the database.
func (d *doctor) keys(ctx context.Context, st *store.Store) []store.SigningKey {
	now := time.Now()
	sealing, err := st.SealingKeys(ctx)
	if err == nil && len(sealing) == 0 {
		err = errors.New("there are no sealing keys")
	}
	if err != nil {
		d.tell("keys", problem, err.Error(), "the key file may be another one's, or the database damaged")
		return nil
	}
	d.sealing(sealing, now)
	keys, err := st.SigningKeys(ctx)
	if err != nil {
		d.tell("keys", problem, err.Error(), "the key file may be another one's, or the database damaged")
		return nil
	}
	d.signing(keys, now)
	return keys
}

func (d *doctor) sealing(keys []store.SealingKey, now time.Time) {
	newest := keys[len(keys)-1].CreatedAt
	words := fmt.Sprintf("%s for tokens, the newest of %s", counted(len(keys), "sealing key"), day(newest))
	switch {
	case len(keys) > manySealing:
		d.tell("keys", warning, words+"; there can be 255", "rotate them less often")
	case now.Sub(newest) > sealingOld:
		d.tell("keys", warning, words, "run gatelodge key rotate --kind sealing")
	default:
		d.ok("keys", "%s", words)
	}
}

func (d *doctor) signing(keys []store.SigningKey, now time.Time) {
	if len(keys) == 0 {
		d.ok("keys", "no signing keys yet: the first are made when an application asks for an ID token")
		return
	}
	newest := slices.MaxFunc(keys, func(a, b store.SigningKey) int { return a.CreatedAt.Compare(b.CreatedAt) }).CreatedAt
	words := fmt.Sprintf("%s for ID tokens, the newest of %s", counted(len(keys), "signing key"), day(newest))
	if now.Sub(newest) > 2*signing.RotateAfter {
		d.tell("keys", warning, words, "servers follow it when they next sign; gatelodge key rotate --kind signing does it now")
		return
	}
	d.ok("keys", "%s", words)
}

// mail asks the mail server whether it would take a mail.
func (d *doctor) mail(ctx context.Context) {
	if d.cfg.SMTP == "" {
		switch {
		case d.cfg.OnLoopback():
			d.ok("mail", "no mail server: addresses are not confirmed on this machine")
		case d.cfg.SignUp == config.Closed:
			d.tell("mail", warning, "no mail server: people cannot recover their accounts by themselves", "give --smtp and --mail-from; until then gatelodge user recover prints a link")
		default:
			d.tell("mail", warning, "no mail server: addresses cannot be confirmed, and people not recover their accounts", "give --smtp and --mail-from")
		}
		return
	}
	sender, err := mail.NewSMTP(string(d.cfg.SMTP))
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, askFor)
		defer cancel()
		err = sender.Check(ctx)
	}
	if err != nil {
		d.tell("mail", problem, err.Error(), "are address, user and password of --smtp right, may they send as --mail-from, and is there a way out through the firewall?")
		return
	}
	d.ok("mail", "the mail server would take a mail (none was sent)")
}

// issuer fetches from the public address what this installation should answer there.
func (d *doctor) issuer(ctx context.Context, issuer string, keys []store.SigningKey) {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	var metadata struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	var state *tls.ConnectionState
	for range asks {
		var err error
		state, err = getJSON(ctx, issuer+"/.well-known/openid-configuration", &metadata)
		switch {
		case err != nil:
			d.tell("issuer", problem, err.Error(), "does serve run, does the name lead here, and does the proxy pass everything on?")
			return
		case metadata.Issuer != issuer:
			d.tell("issuer", problem, fmt.Sprintf("who answers at %s calls itself %q", issuer, metadata.Issuer), "give serve --issuer "+issuer+", or let the name lead to this server")
			return
		}
	}
	d.ok("issuer", "%s answers, and calls itself so", issuer)
	d.published(ctx, metadata.Keys, keys)
	if state == nil || len(state.PeerCertificates) == 0 {
		return
	}
	d.certificate(issuer, state.PeerCertificates[0].NotAfter, time.Now())
}

func (d *doctor) certificate(issuer string, ends, now time.Time) {
	if ends.Sub(now) < certificateSoon {
		d.tell("certificate", warning, "the certificate of "+issuer+" ends on "+day(ends), "renew it; whatever does that by itself should have done so by now")
		return
	}
	d.ok("certificate", "good until %s", day(ends))
}

// published compares the keys at the issuer's address with the database's.
func (d *doctor) published(ctx context.Context, address string, keys []store.SigningKey) {
	for range asks {
		var set struct {
			Keys []struct {
				ID string `json:"kid"`
			} `json:"keys"`
		}
		if _, err := getJSON(ctx, address, &set); err != nil {
			d.tell("issuer", problem, err.Error(), "does the proxy pass everything on?")
			return
		}
		for _, published := range set.Keys {
			if len(keys) > 0 && !slices.ContainsFunc(keys, func(k store.SigningKey) bool { return k.ID == published.ID }) {
				d.tell("issuer", problem, "the keys at "+address+" are not those of this database", "another server answers there, or one on another database: compare their settings")
				return
			}
		}
	}
}

// ready asks a running server.
func (d *doctor) ready(ctx context.Context) {
	if d.cfg.Metrics == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	status, body, _, err := get(ctx, "http://"+d.cfg.Metrics+"/readyz")
	switch {
	case err != nil:
		d.tell("server", problem, err.Error(), "does serve run, with --metrics "+d.cfg.Metrics+"?")
	case status != http.StatusOK:
		d.tell("server", problem, "it is not ready: "+strings.TrimSpace(string(body)), "until it is, answers come from the database, or not at all; the server's log says why")
	default:
		d.ok("server", "it is ready: the database answers and the feed of changes is followed")
	}
}

// maxAnswer is far more than metadata ever has.
const maxAnswer = 1 << 20

func get(ctx context.Context, address string) (status int, body []byte, state *tls.ConnectionState, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, nil, nil, err
	}
	r.Close = true // the next one may go to another server
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	return response.StatusCode, body, response.TLS, err
}

func getJSON(ctx context.Context, address string, into any) (*tls.ConnectionState, error) {
	status, body, state, err := get(ctx, address)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("%s answers with status %d", address, status)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return nil, fmt.Errorf("%s does not answer with JSON", address)
	}
	return state, nil
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func amount(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d KiB", (n+1023)/1024)
}
