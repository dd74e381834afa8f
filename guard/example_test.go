package guard_test

import (
	"context"
	"fmt"
	"log"
	"net/http"

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
		if _, err := g.Check(r, scope); err != nil {
			http.Error(w, "not allowed", http.StatusForbidden)
			return
		}
		fmt.Fprintln(w, "done")
	})
}
