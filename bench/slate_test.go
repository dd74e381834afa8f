package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatelodge/internal/sqldb"
	"gatelodge/internal/sqldb/sqldbtest"
	"gatelodge/slate"
	"gatelodge/slate/store"
	"gatelodge/slate/store/storetest"
)

const (
	slateAudience = "https://slate.example/apis"
	slateScope    = "slate:reporting"
)

// slateWorld is a Slate beside its Gatelodge, with a user who has authorized an
// application for all accounts.
type slateWorld struct {
	*process
	data, token string
	// catalogues are of the accounts, from 1001 on.
	catalogues []storetest.Catalogue
}

// shape says what the accounts have: each of them so many channels of so many types of
// so many reports.
type shape struct{ accounts, channels, types, reports int }

func (s shape) all() int { return s.accounts * s.channels * s.types * s.reports }

// newSlate fills a database of that dialect, or a folder of one file's archive, and
// serves it.
func newSlate(b *testing.B, dialect sqldb.Dialect, s shape, files map[string][]byte) slateWorld {
	b.Helper()
	w := newWorld(b)
	own := w.command(b, "", "profile", "create", "--owner", "bench@example.com", "--name", "Slate", "--description", "The portal", "--privacy-url", "https://example.com/privacy", "--return-url", "http://127.0.0.1:3999/slate")
	id, secret := own["client_id"].(string), own["client_secret"].(string)
	w.command(b, "", "profile", "api", id, "--audience", slateAudience)
	w.command(b, "", "scope", "create", "--name", slateScope, "--label", "See reports", "--detail", "The reports.", "--audience", slateAudience)
	gatelodge := w.serve(b)
	refresh := w.command(b, "", "grant", "create", "--profile", w.id, "--user", "bench@example.com", "--scope", slateScope)["refresh_token"].(string)
	token := accessToken(b, post(gatelodge.base+"/auth/o2/token", w.refreshForm(refresh))())

	inspected := post(gatelodge.base+"/oauth2/introspect", url.Values{"token": {token}, "client_id": {id}, "client_secret": {secret}})()
	got, err := answered(newClient(), inspected)
	if err != nil {
		b.Fatal(err)
	}
	var told struct{ Sub string }
	if err := json.Unmarshal(got.body, &told); err != nil || told.Sub == "" {
		b.Fatal(string(got.body), err)
	}

	data := b.TempDir()
	config := sqldb.Config{Path: filepath.Join(data, "slate.db")}
	var env []string
	if dialect == sqldb.Postgres {
		config = sqldbtest.Config(b, dialect)
		env = append(env, "SLATE_DATABASE="+config.URL)
	}
	sw := slateWorld{data: data, token: token, catalogues: fillSlate(b, config, told.Sub, w.id, s)}
	for name, content := range files {
		path := filepath.Join(data, "reports", filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			b.Fatal(err)
		}
		out, err := slateCommand(b, env, "report", "import", path, "--data", data)
		if err != nil {
			b.Fatal(err, string(out))
		}
	}
	env = append(env, "SLATE_CLIENT_SECRET="+secret)
	sw.process = start(b, env, built(b, "slate"), "serve", "--json", "--listen", "127.0.0.1:0", "--data", data, "--gatelodge", gatelodge.base,
		"--client-id", id, "--audience", slateAudience, "--scope", slateScope, "--rate", "1000000", "--burst", "1000000")
	// Until the endings are followed, each call asks for its token.
	time.Sleep(time.Second)
	return sw
}

func fillSlate(b *testing.B, config sqldb.Config, subject, clientID string, s shape) (all []storetest.Catalogue) {
	b.Helper()
	ctx := context.Background()
	db, st, err := slate.OpenStore(ctx, config)
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	}()
	now := time.Now()
	by := store.Actor{At: now}
	person, err := st.SignIn(ctx, subject, "Bench", "bench@example.com", now)
	if err != nil {
		b.Fatal(err)
	}
	for i := range s.accounts {
		account, err := st.CreateAccount(ctx, fmt.Sprint("Account ", i), by)
		if err == nil {
			err = st.AddMember(ctx, account.ID, person.ID, store.Rights{Reports: true}, by)
		}
		if err == nil {
			_, err = st.AddApplication(ctx, store.Application{AccountID: account.ID, ClientID: clientID, Reporting: true, Name: "Bench"}, by)
		}
		c := storetest.Catalogue{
			AccountID: account.ID, Group: store.GroupChannels, Channels: s.channels, Types: s.types, Reports: s.reports,
			Modified: modified.UnixMicro(), FirstID: int64(i)*int64(s.channels*(s.types+1)) + 1,
		}
		if err == nil {
			err = storetest.Fill(ctx, db, c)
		}
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, c)
	}
	if config.URL != "" { // PostgreSQL does so by itself, in time
		err := db.Write(ctx, func(ctx context.Context, t *sqldb.Tx) error {
			_, err := t.Exec(ctx, `ANALYZE reports`)
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return all
}

// modified is when the first report of each type was published, each of the others a
// second after the one before it.
var modified = time.Date(2030, time.January, 1, 0, 0, 0, 0, time.UTC)

func slateCommand(b *testing.B, env []string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(b.Context(), built(b, "slate"), args...)
	cmd.Env = append(os.Environ(), env...)
	return cmd.CombinedOutput()
}

// call is a call of the reporting API.
func (w slateWorld) call(path string) *http.Request {
	r := get(w.base + "/apis/v1" + path)
	r.Header.Set("Authorization", "Bearer "+w.token)
	return r
}

// anyPage is a page of a list, each report of all as likely to be on it as another.
func (w slateWorld) anyPage() (path string, offset int) {
	c := w.catalogues[rand.IntN(len(w.catalogues))]
	channel := rand.IntN(c.Channels)
	kind := c.FirstID + int64(c.Channels+channel*c.Types+rand.IntN(c.Types))
	return fmt.Sprintf("/accounts/%d/channels/c-%d/reportTypes/rt-%d/reports", c.AccountID, c.FirstID+int64(channel), kind), rand.IntN(c.Reports)
}

// BenchmarkSlateCall is calls with a token that is known: authorized, answered.
func BenchmarkSlateCall(b *testing.B) {
	w := newSlate(b, sqldb.SQLite, shape{1, 3, 2, 52}, nil)
	reports, _ := w.anyPage()
	for _, c := range []struct{ name, path string }{{"accounts", "/accounts"}, {"channels", "/accounts/1001/channels"}, {"reports", reports}} {
		b.Run(c.name, func(b *testing.B) {
			drive(b, w.process, func() *http.Request { return w.call(c.path) })
		})
	}
}

// BenchmarkSlateDownload is downloads of archives of about that size, each beside
// http.ServeContent of the same file.
func BenchmarkSlateDownload(b *testing.B) {
	for _, size := range []int{4 << 10, 256 << 10, 4 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			rows := bytes.NewBufferString("Date,Subscriptions\n")
			for random := rand.New(rand.NewPCG(1, 2)); rows.Len() < size*2; {
				fmt.Fprintf(rows, "1/7/2030,%x\n", random.Uint64())
			}
			w := newSlate(b, sqldb.SQLite, shape{accounts: 1}, map[string][]byte{"1001/channels/Sample/Subscription Daily/2030-01-07.csv": rows.Bytes()})
			archives, err := filepath.Glob(filepath.Join(w.data, "archives", "*.zip"))
			if err != nil || len(archives) != 1 {
				b.Fatal(archives, err)
			}
			address := w.download(b)
			b.Run("floor", func(b *testing.B) {
				floor := start(b, []string{floorVariable + "=1", fileVariable + "=" + archives[0]}, os.Args[0])
				drive(b, floor, func() *http.Request { return get(floor.base) })
			})
			b.Run("slate", func(b *testing.B) {
				drive(b, w.process, func() *http.Request { return get(address) })
			})
		})
	}
}

// download is the address of the one report that there is.
func (w slateWorld) download(b *testing.B) string {
	b.Helper()
	path := "/accounts/1001/channels"
	var page struct {
		Data []struct {
			ID          string
			DownloadURL string
		}
	}
	for _, below := range []string{"", "/reportTypes", "/reports"} {
		if path += below; len(page.Data) > 0 {
			path = strings.TrimSuffix(path, below) + "/" + page.Data[0].ID + below
		}
		got, err := answered(newClient(), w.call(path))
		if err == nil {
			err = json.Unmarshal(got.body, &page)
		}
		if err != nil || len(page.Data) != 1 {
			b.Fatal(path, err, string(got.body))
		}
	}
	return page.Data[0].DownloadURL
}

// slateShapes have a thousand reports and a million of them: many short lists, long
// ones, and a single one.
var slateShapes = []struct {
	name        string
	small, many shape
}{
	{"short", shape{1, 1, 10, 100}, shape{100, 10, 10, 100}},
	{"long", shape{1, 1, 10, 100}, shape{10, 5, 2, 10_000}},
	{"one", shape{1, 1, 1, 1000}, shape{1, 1, 1, 1_000_000}},
}

// BenchmarkSlateList turns pages: of all reports, each as likely as another, and of
// those that were modified since a moment, which is as likely as another.
func BenchmarkSlateList(b *testing.B) {
	for _, dialect := range []sqldb.Dialect{sqldb.SQLite, sqldb.Postgres} {
		for _, s := range slateShapes {
			for _, size := range []shape{s.small, s.many} {
				b.Run(fmt.Sprintf("%s/%s/%d", dialect, s.name, size.all()), func(b *testing.B) {
					w := newSlate(b, dialect, size, nil)
					b.Run("all", func(b *testing.B) {
						drive(b, w.process, func() *http.Request {
							path, offset := w.anyPage()
							return w.call(path + "?offset=" + strconv.Itoa(offset))
						})
					})
					b.Run("modified", func(b *testing.B) {
						drive(b, w.process, func() *http.Request {
							path, first := w.anyPage()
							since := modified.Add(time.Duration(first) * time.Second)
							offset := rand.IntN(w.catalogues[0].Reports - first)
							return w.call(path + "?offset=" + strconv.Itoa(offset) + "&modifiedDateGte=" + since.Format(time.RFC3339))
						})
					})
					b.Run("channels", func(b *testing.B) {
						drive(b, w.process, func() *http.Request {
							path, _ := w.anyPage()
							before, _, _ := strings.Cut(path, "/c-")
							return w.call(before)
						})
					})
				})
			}
		}
	}
}
