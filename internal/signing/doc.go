// Package signing owns signatures: the server's own keys, what is signed with
// them, and the judgement on what clients have signed. It has three parts.
//
// [Key] and [Set] are the server's own keys, RS256 and ES256. A key is published
// in the JWKS a day before it signs, is followed by another after 90 days, and
// stays published while anything that it signed may live ([Retention]).
//
// [ClientKeys] and [VerifyAssertion] judge the assertions with which a client
// authenticates (private_key_jwt, RFC 7523).
//
// [ParseDPoP] judges proofs of possession (RFC 9449).
//
// All three read compact JWSs in one strict way: the algorithm is the key's and
// never the token's choice, critical extensions are refused, a value has exactly
// one spelling, and no member of a JSON object may occur twice. Nothing here does
// I/O or looks at the clock; what must count only once is returned, so that the
// store can count it.
package signing
