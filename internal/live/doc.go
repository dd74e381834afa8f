// Package live owns the view of the database that the hot paths read: a bounded
// read-through cache of profiles, grants, accounts and sessions, kept true by the
// feed of changes, so that a token is issued or checked without a query.
//
// What a reader may rely on:
//
//   - A change that any process has committed is seen here no later than [Bound]
//     after its commit. A change that this process has committed is seen at once.
//   - When the feed cannot be followed (database gone, process stopped and
//     continued), the view stops answering from memory [Bound] after the start of
//     the last good poll, and every read goes to the database.
//
// Why no older value can slip in: every value is read in one snapshot with the
// number of the newest change at that moment, and is kept only if no change with a
// higher number has touched its part of the cache since.
//
// The package also gathers what hot paths may not write one by one: times of last
// use (flushed once a minute) and refusals (once a second). Both may be lost in a
// crash.
package live
