// Package api owns Slate's reporting API below /apis/v1: accounts, report groups,
// channels and studios, report types and reports, as the partners' programs read them.
//
// Every call is decided anew. Package guard says who calls, as which application, and
// whether the token is good for this API. Then both halves have to be there in the
// account that is asked for: the user has the permission to see reports, and the
// account has let the application in. A change of either is in effect at the next
// call; what is missing is said in words.
//
//	400  a parameter cannot be understood
//	401  no token, or none that is good any more
//	403  a half is missing: scope, user, permission or application
//	404  there is no such thing, or the user does not belong to its account
//	429  the application calls too often for this user
//	503  Gatelodge, or the database, cannot be asked at the moment
//
// What the API answers is written down in openapi.json, which it serves, and to which
// the tests hold every answer.
package api
