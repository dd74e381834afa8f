// Package provider is the surface that applications and their users meet: the
// authorization endpoint with its consent page, the token endpoint, and the
// protected resources that tell about tokens and users. It speaks two dialects on
// two sets of paths, standard OAuth 2.0 and Login with Amazon's (routes.go).
//
// How an authorization request flows:
//
//	/oauth2/authorize, /ap/oa     authorize.go   read and verify (request.go), then dispatch
//	/consent?request=…            dispatch.go    open the sealed request, verify it again, then dispatch
//	  dispatch                    dispatch.go    look at session, prompt and grant:
//	      not signed in           → /sign-in, which comes back to /consent
//	      to be asked             → the consent page (consent.go), which posts to itself
//	      allowed before          → a code, and off to the return URL
//
// Until the application and its return URL are known to be good, an error is a
// page (refused.go): there is nowhere safe to send it. After that it is a redirect.
//
// How a device is let in: device.go gives it its two codes, the pages of
// device_page.go ask its user, and its polls are the grant of grant_device.go.
//
// How a token request flows is the text of token.go, from top to bottom: no grant
// (grant_*.go) can forget a phase. Redeeming a code or a device's pair is the one
// durable statement, and a step of a rotating refresh token, and the use of what counts
// once; everything else is answered from the live view. Who asks is found out in
// client_auth.go (secret or key) and dpop.go (proof of possession, at the resources
// too); par.go takes authorization requests ahead of their users. Introspection and
// revocation (introspect.go, revoke.go) share its first phases.
// Whom a token is for, and in which form, is in audience.go and jwt.go; endings.go
// tells APIs which tokens have ended.
//
// Users sign out at /oauth2/logout for an application (logout.go), and applications
// that want to hear of it are told (backchannel.go).
//
// Applications may register themselves where the operator lets them (registration.go):
// the rules that they are held to are registration_rules.go, a function of what they say.
//
// What tokens open is in resources.go (Login with Amazon) and openid.go (OpenID
// Connect: UserInfo, ID tokens, discovery, keys).
package provider
