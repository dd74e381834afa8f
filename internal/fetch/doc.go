// Package fetch owns every request that the server makes because a client named an
// address: key sets, logos, back-channel logout. Whoever may register a client may
// make the server ask, so the address, the answer and its time are a stranger's
// (CVE-2020-10770, CVE-2026-1180).
//
// What holds for every request of a [Fetcher]:
//
//   - https alone, and to public addresses alone. The address is judged after its
//     name was resolved, at the very connection, so a name that resolves to
//     something else the second time gains nothing. For a server on loopback, made
//     for development, loopback is allowed too, by http as well.
//   - No redirect is followed, no proxy of the environment is used, nothing is sent
//     but the request: no cookies, no credentials, no referrer.
//   - All of it, the wait for its turn included, takes at most 5 seconds. The answer
//     has a limit of bytes, is not decompressed, and its connection is not kept.
//   - At most 16 go on at once.
//
// No caller holds a transaction meanwhile. What went wrong is an [*Error] with a
// sentence for the owner of the address. It never tells what a name resolved to, nor
// whether an internal name exists: asking would be the way to find out.
//
// [KeySets] keeps the key sets that clients publish.
package fetch
