// Package guard protects an API with the access tokens of a Gatelodge server. It
// takes a token from a request, finds out what it is good for, and puts the
// [Principal] into the request's context:
//
//	g, err := guard.New(guard.Options{
//		Issuer: "https://id.example.com", Audience: "https://api.example.com",
//		ClientID: id, ClientSecret: secret, // of the API's own security profile
//	})
//	go g.Run(ctx)
//	mux.Handle("GET /reports", g.Require("reports:read")(reports))
//
// How fresh an answer is: while [Guard.Run] follows the endings that the server
// tells, an answer is kept until its token ends, and is never older than
// [Options.MaxStale]. When the endings cannot be followed, every token is asked for
// at each request (introspection, RFC 7662), and when that fails too the request is
// answered 503: a token is never taken on trust.
//
// Bad tokens cost the server little: [Options.MaxBadTokens]. An API behind a proxy says
// in [Options.Address] where a request comes from.
//
// Tokens that are JWTs (RFC 9068) are verified without asking, under the same rule.
// Tokens that are bound to a key need a proof of it (DPoP, RFC 9449).
package guard
