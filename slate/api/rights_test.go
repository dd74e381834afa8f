package api_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gatelodge/internal/registry"
	"gatelodge/internal/sim"
	"gatelodge/slate/api"
	"gatelodge/slate/store"
)

// TestRights: what each call needs, and what is said when it is not there.
func TestRights(t *testing.T) {
	w := newWorld(t, options{})
	app := w.NewApplication()
	c := w.authorize(app, "Ada Lovelace")
	s := w.slate.Store
	refused := func(what string, got sim.Answer, status int, words string, missing ...string) {
		t.Helper()
		var told struct {
			Code    string   `json:"error"`
			Words   string   `json:"error_description"`
			Missing []string `json:"missing"`
			ID      string   `json:"request_id"`
		}
		if err := json.Unmarshal([]byte(got.Body), &told); err != nil {
			t.Fatalf("%s: %v", what, got)
		}
		if got.Status != status || !strings.Contains(told.Words, words) || !slices.Equal(told.Missing, missing) || told.ID != got.Header.Get("x-amzn-RequestId") {
			t.Errorf("%s: %v, want %d %q %q", what, got, status, words, missing)
		}
		challenge := got.Header.Get("WWW-Authenticate")
		if (status == http.StatusForbidden) != strings.HasPrefix(challenge, `Bearer error="insufficient_scope", error_description="`) {
			t.Errorf("%s: the challenge %q", what, challenge)
		}
	}
	refused("no account", c.get("/accounts"), 403, "belongs to no Slate account", "permission")
	alpha, _ := c.account("Alpha Pictures", store.Rights{}, false)
	beta, err := s.CreateAccount(t.Context(), "Beta Films", w.by())
	if err != nil {
		t.Fatal(err)
	}
	const one = "/accounts/1001"
	refused("neither", c.get("/accounts"), 403, "in none of their accounts", "permission", "application")
	refused("neither here", c.get(one), 403, "in account 1001", "permission", "application")
	letIn := c.letIn(alpha.ID)
	refused("no permission", c.get("/accounts"), 403, "permission Reports: View Only in none of their accounts", "permission")
	refused("no permission here", c.get(one), 403, "does not have the permission Reports: View Only in account 1001", "permission")
	set := func(r store.Rights) {
		t.Helper()
		if err := s.AddMember(t.Context(), alpha.ID, c.person.ID, r, w.by()); err != nil {
			t.Fatal(err)
		}
	}
	set(viewer)
	for range 2 {
		if got := c.get(one); got.Status != http.StatusOK {
			t.Errorf("both halves: %v", got)
		}
	}
	set(store.Rights{})
	refused("the permission was withdrawn", c.get(one), 403, "does not have the permission", "permission")
	set(viewer)
	if err := s.RemoveApplication(t.Context(), alpha.ID, letIn, w.by()); err != nil {
		t.Fatal(err)
	}
	refused("the application was removed", c.get(one), 403, "Account 1001 has not let the application in", "application")
	refused("no application", c.get("/accounts"), 403, "is let in to none of the accounts", "application")
	if _, err := s.AddApplication(t.Context(), store.Application{AccountID: alpha.ID, ClientID: app.ID, Name: "Downloader"}, w.by()); err != nil {
		t.Fatal(err)
	}
	refused("let in without Reporting", c.get(one), 403, "has not let the application in", "application")

	if got := c.get("/accounts/" + strconv.FormatInt(beta.ID, 10)); got.Status != http.StatusNotFound {
		t.Errorf("another's account: %v", got)
	}
	if err := s.RemoveMember(t.Context(), alpha.ID, c.person.ID, w.by()); !errors.Is(err, store.ErrLastManager) {
		t.Fatal(err)
	}

	// What the token lacks.
	other := w.SignUp("Bob")
	narrow := *c
	narrow.token = app.Redeem(sim.Amazon, other.Code(app, sim.Amazon, "scope", "profile")).Text("access_token")
	if got := narrow.get("/accounts"); got.Status != http.StatusUnauthorized {
		t.Errorf("a token that is not for the API: %v", got)
	}
	alone := w.NewApplication()
	alone.Become(registry.Service)
	own := *c
	given := w.Post("/auth/o2/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {alone.ID}, "client_secret": {alone.Secret}, "scope": {scope}})
	if own.token = given.Text("access_token"); own.token == "" {
		t.Fatal(given)
	}
	refused("an application alone", own.get("/accounts"), 403, "application's own", "user")
	for what, headers := range map[string][]string{
		"no token": nil, "another scheme": {"Authorization", "Basic eDp5"}, "a made-up token": {"Authorization", "Bearer Atza|x"},
		"a refresh token": {"Authorization", "Bearer Atzr|x"}, "in the address": {"X-Nothing", ""},
	} {
		got := w.send(http.MethodGet, slateURL+api.Base+"/accounts?access_token="+url.QueryEscape(c.token), headers...)
		if got.Status != http.StatusUnauthorized || !strings.HasPrefix(got.Header.Get("WWW-Authenticate"), "Bearer") || got.Text("request_id") == "" {
			t.Errorf("%s: %v %v", what, got, got.Header)
		}
	}
	c.user.Open("/account/applications").Press("Remove")
	if got := c.get("/accounts"); got.Status != http.StatusUnauthorized || got.Text("error") != "invalid_token" {
		t.Errorf("after the user took it back: %v", got)
	}
}

// TestOthersIds: what belongs to another account, group or channel is not there.
func TestOthersIds(t *testing.T) {
	w := newWorld(t, options{})
	c := w.authorize(w.NewApplication(), "Ada Lovelace")
	alpha, _ := c.account("Alpha Pictures", viewer, true)
	beta, err := w.slate.Store.CreateAccount(t.Context(), "Beta Films", w.by())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.slate.Store.SetStatementID(t.Context(), beta.ID, "RAMP-8", w.by()); err != nil {
		t.Fatal(err)
	}
	// parts are the ids of a channel and of its type.
	parts := func(account int64, group, channel string) (channelID, typeID string) {
		t.Helper()
		w.publish(account, group, channel, "Subscription Weekly", monday(0), 5)
		channels, _, err := w.slate.Store.Channels(t.Context(), account, group, store.Page{Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		found := channels[slices.IndexFunc(channels, func(c store.Channel) bool { return c.Folder == channel })]
		types, _, err := w.slate.Store.Types(t.Context(), found.ID, store.Page{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint("c-", found.ID), fmt.Sprint("rt-", types[0].ID)
	}
	own, ownType := parts(alpha.ID, store.GroupChannels, "Own")
	second, secondType := parts(alpha.ID, store.GroupChannels, "Second")
	others, othersType := parts(beta.ID, store.GroupChannels, "Others")
	parts(beta.ID, store.GroupStatements, "US-8")
	for path, want := range map[string]int{
		"/accounts/1001/channels/" + own + "/reportTypes/" + ownType + "/reports":       200,
		"/accounts/1001/channels/" + second + "/reportTypes/" + secondType + "/reports": 200,
		"/accounts/1001/channels/" + own + "/reportTypes/" + secondType + "/reports":    404,
		"/accounts/1001/channels/" + own + "/reportTypes/" + othersType + "/reports":    404,
		"/accounts/1001/channels/" + others + "/reportTypes/" + othersType + "/reports": 404,
		"/accounts/1001/channels/" + others + "/reportTypes":                            404,
		"/accounts/1001/rentOrBuy/" + own + "/reportTypes":                              404,
		"/accounts/1001/financialStatement/" + own + "/reportTypes":                     404,
		"/accounts/1001/financialStatement/US-8/reportTypes":                            404,
		"/accounts/1001/channels/Own/reportTypes":                                       404,
		"/accounts/1002/channels":                                                       404,
		"/accounts/RAMP-8/financialStatement":                                           404,
		"/accounts/RAMP-8/financialStatement/US-8/reportTypes":                          404,
		"/accounts/01001":         404,
		"/accounts/1001/Channels": 404,
		"/accounts/1001/channels/" + strings.TrimPrefix(own, "c-") + "/reportTypes":      404,
		"/accounts/1001/channels/" + own + "/reportTypes/" + own + "/reports":            404,
		"/accounts/1001/channels/" + own + "/reporttypes":                                404,
		"/accounts/1001/channels/" + own + "/reportTypes/" + ownType + "/reports?limit=": 400,
	} {
		if got := c.get(path); got.Status != want {
			t.Errorf("%s: %v, want %d", path, got, want)
		}
	}
}
