package guard_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"gatelodge/guard"
)

// An API lets those in who were allowed to read reports.
func Example() {
	g, err := guard.New(guard.Options{
		Issuer:       "https://id.example.com",
		Audience:     "https://api.example.com",
		ClientID:     "amzn1.application-oa2-client.0123456789abcdef0123456789abcdef",
		ClientSecret: "from a secrets manager",
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go g.Run(ctx)

	mux := http.NewServeMux()
	mux.Handle("GET /reports", g.Require("reports:read")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		principal, _ := guard.From(r.Context())
		fmt.Fprintln(w, "reports of", principal.Subject, "for", principal.ClientID)
	})))
}

// What a request needs may depend on it: Check leaves the answer to the caller.
func ExampleGuard_Check() {
	g, err := guard.New(guard.Options{
		Issuer: "https://id.example.com", Audience: "https://api.example.com", ClientID: "…", ClientSecret: "…",
	})
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/reports", func(w http.ResponseWriter, r *http.Request) {
		scope := "reports:read"
		if r.Method != http.MethodGet {
			scope = "reports:write"
		}
		_, err := g.Check(r, scope)
		if refused, ok := errors.AsType[*guard.Error](err); ok {
			refused.Write(w) // or an answer of the API's own, with refused.Challenge()
			return
		}
		if err != nil { // nobody could be asked: never let a request through
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "done")
	})
}

// Require gives middleware as routers take it: router.Use(g.Require("reports:read")).
func ExampleGuard_Require() {
	g, err := guard.New(guard.Options{
		Issuer: "https://id.example.com", Audience: "https://api.example.com", ClientID: "…", ClientSecret: "…",
	})
	if err != nil {
		log.Fatal(err)
	}
	read, write := g.Require("reports:read"), g.Require("reports:read", "reports:write")
	mux := http.NewServeMux()
	mux.Handle("GET /reports", read(http.NotFoundHandler()))
	mux.Handle("POST /reports", write(http.NotFoundHandler()))

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("GET", "/reports", nil))
	fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"))
	// Output: 401 Bearer
}

// A handler's test needs no server.
func ExampleNewContext() {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		principal, _ := guard.From(r.Context())
		fmt.Fprint(w, "reports of ", principal.Subject)
	})
	r := httptest.NewRequest("GET", "/reports", nil)
	r = r.WithContext(guard.NewContext(r.Context(), guard.Principal{Subject: "amzn1.account.ADA"}))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	fmt.Println(w.Body)
	// Output: reports of amzn1.account.ADA
}
