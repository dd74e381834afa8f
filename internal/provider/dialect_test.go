package provider_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatelodge/internal/sim"
)

// TestAmazonHabits: what published clients of Login with Amazon send
// (login-with-amazon.md sections 7 and 16).
func TestAmazonHabits(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	form := func() url.Values { return app.RedeemForm(user.Code(app, sim.Amazon)) }

	for _, path := range []string{"/auth/O2/token", "/auth/o2/Token", "/Auth/O2/TOKEN", "/AUTH/o2/token"} {
		t.Run("path "+path, func(t *testing.T) {
			if got := w.Post(path, form()); got.Status != http.StatusOK {
				t.Errorf("%v", got)
			}
		})
	}
	t.Run("charset in the content type", func(t *testing.T) {
		r := w.Request(http.MethodPost, "/auth/o2/token", strings.NewReader(form().Encode()), "Content-Type", "application/x-www-form-urlencoded;charset=UTF-8")
		if got := w.Do(r); got.Status != http.StatusOK {
			t.Errorf("%v", got)
		}
	})
	t.Run("JSON body", func(t *testing.T) {
		members := map[string]string{}
		for name, values := range form() {
			members[name] = values[0]
		}
		body, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.Do(w.Request(http.MethodPost, "/auth/o2/token", strings.NewReader(string(body)), "Content-Type", "application/json")); got.Status != http.StatusOK {
			t.Errorf("%v", got)
		}
		if got := w.Do(w.Request(http.MethodPost, "/oauth2/token", strings.NewReader(string(body)), "Content-Type", "application/json")); got.Text("error") != "invalid_request" {
			t.Errorf("on the standard path: %v", got)
		}
	})
	t.Run("no redirect_uri at the exchange", func(t *testing.T) {
		f := form()
		f.Del("redirect_uri")
		if got := w.Post("/auth/o2/token", f); got.Status != http.StatusOK {
			t.Errorf("%v", got)
		}
	})
	t.Run("other paths", func(t *testing.T) {
		if got := w.Post("/auth/o2/nothing", nil); got.Status != http.StatusNotFound || !json.Valid([]byte(got.Body)) {
			t.Errorf("%v", got)
		}
	})
}

// TestTokenInfo: exp is the number of seconds left (login-with-amazon.md section 10).
func TestTokenInfo(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *sim.World) {
		app := w.NewApplication()
		user := w.SignUp("Ada Lovelace")
		issued := time.Now()
		token := app.Redeem(sim.Amazon, user.Code(app, sim.Amazon)).Text("access_token")
		time.Sleep(100 * time.Second)
		got := w.TokenInfo(token)
		if got.Status != http.StatusOK {
			t.Fatal(got)
		}
		if left := got.Number("exp"); left != 3500 {
			t.Errorf("exp %v, want 3500", left)
		}
		if iat := got.Number("iat"); int64(iat) != issued.Unix() {
			t.Errorf("iat %v, want %v", int64(iat), issued.Unix())
		}
		for name, pattern := range map[string]string{
			"iss": `^http://localhost:8080$`, "aud": "^" + regexp.QuoteMeta(app.ID) + "$",
			"user_id": `^amzn1\.account\.[A-Z2-7]{28}$`, "app_id": `^amzn1\.application\.[0-9a-f]{32}$`,
		} {
			if value := got.Text(name); !regexp.MustCompile(pattern).MatchString(value) {
				t.Errorf("%s is %q, want %s", name, value, pattern)
			}
		}
		time.Sleep(3500*time.Second - time.Millisecond)
		if got := w.TokenInfo(token); got.Number("exp") != 0 || got.Status != http.StatusOK {
			t.Errorf("in the last moment: %v", got)
		}
		time.Sleep(time.Millisecond)
		if got := w.TokenInfo(token); got.Status != http.StatusBadRequest || got.Text("error") != "invalid_token" {
			t.Errorf("after its hour: %v", got)
		}
		if got := w.UserProfile(token); got.Status != http.StatusBadRequest || got.Text("error") != "invalid_token" {
			t.Errorf("profile after its hour: %v", got)
		}
	})
}

// TestCodeExpires: five minutes (contract.md, "authorization code").
func TestCodeExpires(t *testing.T) {
	inVirtualTime(t, func(t *testing.T, w *sim.World) {
		app := w.NewApplication()
		user := w.SignUp("Ada Lovelace")
		late, inTime := user.Code(app, sim.Amazon), user.Code(app, sim.Amazon)
		time.Sleep(5*time.Minute - time.Second)
		if got := app.Redeem(sim.Amazon, inTime); got.Status != http.StatusOK {
			t.Errorf("just in time: %v", got)
		}
		time.Sleep(2 * time.Second)
		if got := app.Redeem(sim.Amazon, late); got.Text("error") != "invalid_grant" {
			t.Errorf("too late: %v", got)
		}
	})
}

// TestUserProfile: the token goes in one of three places (login-with-amazon.md
// section 11), of either dialect, with its "|" percent-encoded or not.
func TestUserProfile(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	for name, d := range dialects {
		token := app.Redeem(d, user.Code(app, d)).Text("access_token")
		encoded := strings.ReplaceAll(token, "|", "%7C")
		for way, ask := range map[string]func() sim.Answer{
			"query":                       func() sim.Answer { return w.Get("/user/profile?access_token=" + encoded) },
			"query encoded twice":         func() sim.Answer { return w.Get("/user/profile?access_token=" + url.QueryEscape(encoded)) },
			"Authorization":               func() sim.Answer { return w.Get("/user/profile", "Authorization", "Bearer "+token) },
			"authorization in lower case": func() sim.Answer { return w.Get("/user/profile", "Authorization", "bearer "+token) },
			"Authorization, encoded":      func() sim.Answer { return w.Get("/user/profile", "Authorization", "BEARER "+encoded) },
			"x-amz-access-token":          func() sim.Answer { return w.Get("/user/profile", "x-amz-access-token", token) },
		} {
			t.Run(name+" "+way, func(t *testing.T) {
				got := ask()
				if got.Status != http.StatusOK || got.Text("name") != "Ada Lovelace" || got.Text("email") != user.Email || got.Text("user_id") == "" {
					t.Errorf("%v", got)
				}
			})
		}
		t.Run(name+" in two places", func(t *testing.T) {
			got := w.Get("/user/profile?access_token="+encoded, "Authorization", "Bearer "+token)
			if got.Status != http.StatusBadRequest || got.Text("error") != "invalid_request" {
				t.Errorf("%v", got)
			}
		})
		t.Run(name+" at the old address", func(t *testing.T) {
			got := w.Get("/ap/user/profile?access_token=" + encoded)
			var answer struct {
				RequestID string `json:"Request-Id"`
				Profile   map[string]string
			}
			if err := json.Unmarshal([]byte(got.Body), &answer); err != nil {
				t.Fatal(err)
			}
			if answer.RequestID == "" || answer.Profile["Name"] != "Ada Lovelace" || answer.Profile["PrimaryEmail"] != user.Email || answer.Profile["CustomerId"] == "" {
				t.Errorf("%v", got)
			}
		})
	}
}

// TestScopesOfProfile: which scope tells what (login-with-amazon.md section 11).
func TestScopesOfProfile(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	user.Open("/account").Press("Save", "Postal code", "SW1A 1AA")
	for scope, want := range map[string][]string{
		"profile":             {"user_id", "email", "name"},
		"profile:user_id":     {"user_id"},
		"postal_code":         {"user_id", "postal_code"},
		"profile postal_code": {"user_id", "email", "name", "postal_code"},
	} {
		t.Run(scope, func(t *testing.T) {
			got := w.UserProfile(app.Redeem(sim.Amazon, user.Code(app, sim.Amazon, "scope", scope)).Text("access_token"))
			var members map[string]string
			if err := json.Unmarshal([]byte(got.Body), &members); err != nil {
				t.Fatal(got)
			}
			for _, name := range want {
				if members[name] == "" {
					t.Errorf("no %s: %v", name, got)
				}
				delete(members, name)
			}
			if len(members) > 0 {
				t.Errorf("more than the scope tells: %v", members)
			}
		})
	}
}

// TestUserIDIsPairwise: one developer's applications know a person by the same id,
// another's by another (login-with-amazon.md section 1).
func TestUserIDIsPairwise(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	sibling, other := app.Sibling("https://sibling.example/return"), w.NewApplication()
	w.Host("sibling.example", http.NotFoundHandler())
	user := w.SignUp("Ada Lovelace")
	id := func(a *sim.Application) string {
		return w.UserProfile(a.Redeem(sim.Amazon, user.Code(a, sim.Amazon)).Text("access_token")).Text("user_id")
	}
	if own, siblings, others := id(app), id(sibling), id(other); own != siblings || own == others {
		t.Errorf("user ids %s, %s of the same developer, %s of another", own, siblings, others)
	}
}

// TestEitherTokenPath: a code may be redeemed, and a token refreshed, at either
// token path; what comes keeps the shape of the authorization path (contract.md).
func TestEitherTokenPath(t *testing.T) {
	w := sim.New(t)
	app := w.NewApplication()
	user := w.SignUp("Ada Lovelace")
	for name, d := range dialects {
		other := sim.Amazon
		if d == sim.Amazon {
			other = sim.Standard
		}
		got := app.Redeem(other, user.Code(app, d))
		if got.Status != http.StatusOK {
			t.Errorf("%s code at the other path: %v", name, got)
		}
		if again := app.Refresh(other, got.Text("refresh_token")); again.Status != http.StatusOK || again.Text("access_token")[:5] != got.Text("access_token")[:5] {
			t.Errorf("%s refresh token at the other path: %v", name, again)
		}
	}
}
