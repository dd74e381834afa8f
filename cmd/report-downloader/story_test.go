package main

import (
	"archive/zip"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"gatelodge/internal/registry"
	"gatelodge/slate/api"
	"gatelodge/slate/store"
)

// TestStory: from login to the end of the authorization, by an application with a secret
// and by one without, whose refresh tokens are good for one use.
func TestStory(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]registry.Kind{"confidential": registry.Web, "public": registry.Native} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, api.Rate{})
			run, must := w.run, w.must
			if kind == registry.Native {
				w.app.Become(registry.Native)
				delete(w.env, envPrefix+"CLIENT_SECRET")
			}
			account := w.account("Alpha Pictures")
			w.put("1001"+weekly+"2030-01-07_2030-01-13.csv", "Date,Subscriptions\n1/7/2030,12\n")
			w.put("1001"+weekly+"2030-01-14_2030-01-20.csv", "Date,Subscriptions\n1/14/2030,13\n")
			w.put("1001"+weekly+"2030-01-21_2030-01-27.csv", "Date,Subscriptions\n")
			if code, out := run("sync"); code != exitFailed || !strings.Contains(out, "run report-downloader login") {
				t.Errorf("before login: %d %s", code, out)
			}
			w.login()

			if out := must("status"); !strings.Contains(out, "Subscription Weekly: 0 here, 2 new") {
				t.Errorf("status before: %s", out)
			}
			if out := must("sync"); !strings.Contains(out, "2 fetched, 2 here in all.") {
				t.Errorf("first sync: %s", out)
			}
			want := []string{"1001" + weekly + "2030-01-07_2030-01-13.zip", "1001" + weekly + "2030-01-14_2030-01-20.zip"}
			if diff := cmp.Diff(want, w.files()); diff != "" {
				t.Error(diff)
			}
			if out := must("status"); !strings.Contains(out, "Subscription Weekly: 2 here, 0 new") {
				t.Errorf("status after: %s", out)
			}
			w.wire.downloads()
			if out := must("sync"); !strings.Contains(out, "0 fetched, 2 here in all.") {
				t.Errorf("second sync: %s", out)
			}
			if all := w.wire.downloads(); len(all) != 0 {
				t.Errorf("the second sync downloads %v", all)
			}

			// A corrected report, and one that somebody removed here.
			w.put("1001"+weekly+"2030-01-07_2030-01-13.csv", "Date,Subscriptions\n1/7/2030,99\n")
			if err := os.Remove(filepath.Join(w.reports(), filepath.FromSlash(want[1]))); err != nil {
				t.Fatal(err)
			}
			if out := must("status"); !strings.Contains(out, "1 here, 2 new") {
				t.Errorf("status: %s", out)
			}
			if out := must("sync"); !strings.Contains(out, "2 fetched, 2 here in all.") {
				t.Errorf("sync of a correction: %s", out)
			}
			if got := content(t, filepath.Join(w.reports(), filepath.FromSlash(want[0]))); !strings.Contains(got, "1/7/2030,99") {
				t.Errorf("the corrected report: %q", got)
			}

			// Without the state nothing is fetched again.
			if err := os.RemoveAll(filepath.Join(w.reports(), own)); err != nil {
				t.Fatal(err)
			}
			w.wire.downloads()
			if must("sync"); len(w.wire.downloads()) != 0 {
				t.Error("a lost state costs downloads")
			}

			w.permit(account, store.Rights{Manage: true})
			if code, out := run("sync"); code != exitFailed || !strings.Contains(out, "Slate says: The user has the permission Reports: View Only in none of their accounts. A manager") {
				t.Errorf("permission withdrawn: %d %s", code, out)
			}
			w.permit(account, store.Rights{Manage: true, Reports: true})
			must("sync")

			w.user.Open("/account/applications").Press("Remove")
			if code, out := run("sync"); code != exitFailed || !strings.Contains(out, "Gatelodge says: ") || !strings.Contains(out, "run report-downloader login") {
				t.Errorf("consent removed: %d %s", code, out)
			}
			if len(w.files()) != 2 {
				t.Error("the reports are gone")
			}
			w.login()
			must("sync")
		})
	}
}

func tokenOf(t *testing.T, w *world) *oauth2.Token {
	t.Helper()
	text, err := os.ReadFile(w.tokens())
	var k kept
	if err == nil {
		err = json.Unmarshal(text, &k)
	}
	if err != nil {
		t.Fatal(err)
	}
	return k.Token
}

// content is what is in an archive.
func content(t *testing.T, path string) string {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	f, err := z.File[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestOneAccountWithdrawn: what can still be seen is fetched, and the exit code tells of
// the rest until its folder is removed.
func TestOneAccountWithdrawn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, api.Rate{})
	first := w.account("Alpha Pictures")
	w.account("Beta Films")
	w.put("1001"+weekly+"2030-01-07_2030-01-13.csv", "Date,Subscriptions\n1/7/2030,12\n")
	w.put("1002"+weekly+"2030-01-07_2030-01-13.csv", "Date,Subscriptions\n1/7/2030,13\n")
	w.login()
	w.must("sync")
	w.permit(first, store.Rights{Manage: true})
	w.put("1002"+weekly+"2030-01-14_2030-01-20.csv", "Date,Subscriptions\n1/14/2030,13\n")
	for _, command := range []string{"sync", "status"} {
		code, out := w.run(command)
		if code != exitFailed || !strings.Contains(out, "account 1001 (remove its folder") || !strings.Contains(out, "does not have the permission Reports: View Only in account 1001") {
			t.Errorf("%s: %d %s", command, code, out)
		}
	}
	if got := w.files(); len(got) != 3 {
		t.Errorf("the other account was not synced: %v", got)
	}
	if err := os.RemoveAll(filepath.Join(w.reports(), "1001")); err != nil {
		t.Fatal(err)
	}
	w.must("sync")
}

// TestAccessTokenRenewed: one that has ended is replaced, and the newest refresh token kept.
func TestAccessTokenRenewed(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]registry.Kind{"confidential": registry.Web, "public": registry.Native} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, api.Rate{})
				if kind == registry.Native {
					w.app.Become(registry.Native)
					delete(w.env, envPrefix+"CLIENT_SECRET")
				}
				w.account("Alpha Pictures")
				w.login()
				for range 2 {
					before := tokenOf(t, w)
					time.Sleep(61 * time.Minute)
					w.must("sync")
					after := tokenOf(t, w)
					if after.AccessToken == before.AccessToken || !after.Valid() {
						t.Errorf("the token was not renewed: %v", after.Expiry)
					}
					if rotated := after.RefreshToken != before.RefreshToken; rotated != (kind == registry.Native) {
						t.Errorf("another refresh token: %t", rotated)
					}
				}
				info, err := os.Stat(w.tokens())
				if err != nil || info.Mode().Perm() != 0o600 {
					t.Errorf("%v %v", info.Mode(), err)
				}
			})
		})
	}
}

// TestWithinTheLimits: a server of small limits is synced nonetheless, and what it says
// is waited for.
func TestWithinTheLimits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, api.Rate{PerSecond: 1, Burst: 5})
		w.account("Alpha Pictures")
		for _, channel := range []string{"A", "B", "C", "D", "E", "F"} {
			w.put("1001/channels/"+channel+" (US)/Subscription Weekly/2030-01-07_2030-01-13.csv", "Date,Subscriptions\n1/7/2030,12\n")
		}
		w.login()
		if out := w.must("sync", "--parallel", "8"); !strings.Contains(out, "6 fetched") {
			t.Error(out)
		}
		refused := 0
		for _, status := range w.wire.got {
			if status == http.StatusTooManyRequests {
				refused++
			}
		}
		if refused > 8 {
			t.Errorf("%d calls were refused: they do not wait", refused)
		}
	})
}

// TestBrokenDownload: it goes on where it broke off, in the same run and in the next.
func TestBrokenDownload(t *testing.T) {
	t.Parallel()
	for name, times := range map[string]int{"same run": 2, "next run": tries} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, api.Rate{})
				w.account("Alpha Pictures")
				w.put("1001"+weekly+"2030-01-07_2030-01-13.csv", long())
				w.login()
				left := times
				w.wire.meddle = func(r *http.Response) {
					if left--; left >= 0 {
						r.Body = &broken{r.Body, 1000}
					}
				}
				code, out := w.run("sync")
				if wantCode := times / tries; code != wantCode {
					t.Fatalf("exit code %d, want %d: %s", code, wantCode, out)
				}
				if code != 0 {
					if !strings.Contains(out, "2030-01-07_2030-01-13.zip: unexpected EOF") || strings.Contains(out, "signature") {
						t.Errorf("it says %q", out)
					}
					w.must("sync")
				}
				all := w.wire.downloads()
				last := all[len(all)-1]
				if got, want := last.Header.Get("Range"), "bytes="+map[int]string{2: "2000", tries: "5000"}[times]+"-"; got != want {
					t.Errorf("Range: %q, want %q", got, want)
				}
				if w.wire.got[len(w.wire.got)-1] != http.StatusPartialContent {
					t.Error("the rest was not a part")
				}
				want := []string{"1001" + weekly + "2030-01-07_2030-01-13.zip"}
				if diff := cmp.Diff(want, w.files()); diff != "" {
					t.Error(diff)
				}
				if content(t, filepath.Join(w.reports(), filepath.FromSlash(want[0]))) != long() {
					t.Error("the report is another")
				}
			})
		})
	}
}

// TestCorrectedWhileBroken: the part of the report before is not gone on with.
func TestCorrectedWhileBroken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, api.Rate{})
		w.account("Alpha Pictures")
		name := "1001" + weekly + "2030-01-07_2030-01-13"
		w.put(name+".csv", long())
		w.login()
		w.wire.meddle = func(r *http.Response) { r.Body = &broken{r.Body, 1000} }
		if code, out := w.run("sync"); code != exitFailed {
			t.Fatal(out)
		}
		w.wire.meddle = nil
		corrected := long() + "1/8/2030,1\n"
		w.put(name+".csv", corrected)
		w.must("sync")
		if content(t, filepath.Join(w.reports(), filepath.FromSlash(name+".zip"))) != corrected {
			t.Error("not the corrected report")
		}
		if got := w.files(); len(got) != 1 {
			t.Errorf("something is left over: %v", got)
		}
	})
}

// TestStaleAddress: an address that has expired on the way is asked for again.
func TestStaleAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, api.Rate{})
	w.account("Alpha Pictures")
	w.put("1001"+weekly+"2030-01-07_2030-01-13.csv", "Date,Subscriptions\n1/7/2030,12\n")
	w.login()
	asked := 0
	w.wire.meddle = func(r *http.Response) {
		if asked++; asked == 1 {
			r.StatusCode, r.Body = http.StatusForbidden, io.NopCloser(strings.NewReader("<Error/>"))
		}
	}
	if out := w.must("sync"); asked != 2 {
		t.Errorf("asked %d times: %s", asked, out)
	}
}

// TestDamagedDownload: nothing of it gets a report's name.
func TestDamagedDownload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, api.Rate{})
		w.account("Alpha Pictures")
		w.put("1001"+weekly+"2030-01-07_2030-01-13.csv", "Date,Subscriptions\n1/7/2030,12\n")
		w.login()
		w.wire.meddle = func(r *http.Response) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			body[len(body)/2] ^= 1
			r.Body = io.NopCloser(strings.NewReader(string(body)))
		}
		if code, out := w.run("sync"); code != exitFailed || !strings.Contains(out, "SHA-256") {
			t.Errorf("%d %s", code, out)
		}
		if got := w.files(); len(got) != 0 {
			t.Errorf("there is %v", got)
		}
		w.wire.meddle = nil
		w.must("sync")
	})
}

// TestLoginByBrowser: the browser comes back to the program; an answer to another
// request does not end the login.
func TestLoginByBrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, api.Rate{})
	w.app.Become(registry.Native)
	delete(w.env, envPrefix+"CLIENT_SECRET")
	w.account("Alpha Pictures")
	get := func(address string) int {
		response, err := http.Get(address)
		if err != nil {
			t.Error(err)
			return 0
		}
		defer response.Body.Close()
		return response.StatusCode
	}
	w.see = func(text string) {
		if !strings.HasPrefix(text, "Authorize") {
			return
		}
		back := w.come(text)
		go func() {
			if got := get(strings.Replace(back, "state=", "state=x", 1)); got != http.StatusBadRequest {
				t.Errorf("another state: %d", got)
			}
			if got := get(back); got != http.StatusOK {
				t.Errorf("the answer: %d", got)
			}
		}()
	}
	w.must("login", "--return-url", "http://127.0.0.1:0/return")
	w.must("sync")
}

// TestLoginByDevice: with a secret, and as a device of Login with Amazon without.
func TestLoginByDevice(t *testing.T) {
	t.Parallel()
	for name, secret := range map[string]bool{"with a secret": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, api.Rate{})
				client := w.app.ID
				if !secret {
					client = w.app.NewDevice().ID
					w.env = map[string]string{envPrefix + "CLIENT_ID": client}
				}
				w.account("Alpha Pictures", client)
				w.see = func(text string) {
					if uri, rest, ok := strings.Cut(strings.TrimPrefix(text, "Open "), " in a browser and enter the code"); ok {
						page := w.user.Open(uri).Press("Continue", "Code on your device", strings.TrimSpace(rest))
						if page.Has("Allow") {
							page.Press("Allow")
						}
					}
				}
				w.must("login", "--device")
				time.Sleep(2 * time.Hour)
				if code, out := w.run("sync"); code != 0 {
					t.Errorf("%d %s", code, out)
				}
			})
		})
	}
}
