// Package store owns every SQL statement. The text is the same for SQLite and
// PostgreSQL, in the subset that both speak: $n parameters, ON CONFLICT, RETURNING,
// partial indexes; times as Unix microseconds with 0 for none; no JSON operators,
// arrays, booleans or NOW(). The one exception is expire.go, and says why.
//
// Each decision that races (redeeming a code, using a recovery link, saving over
// another's save, taking from a throttle) is one conditional statement.
//
// Every change that a hot path must respect appends to the feed of changes in the
// same transaction (changes.go), and the process that wrote is told before the
// caller is answered ([Store.Observe]).
//
// These kinds of row expire; each insert of one deletes a few expired ones, and when
// there are none looks again a second later (expire.go). So there is no clean-up job,
// and storage is bounded by people, profiles and grants:
//
//	sessions         30 days at most, 12 hours after the last use
//	recoveries       30 minutes
//	throttles        until the bucket is full again
//	device_pairs     [authz.DeviceLifetime] and [authz.DeviceRetention]
//	redemptions      the code's lifetime and twice the permitted clock skew
//	ended_families   [authz.EndedRetention], if their refresh tokens rotate; of others
//	                 [keptEnded] for each grant stay, and those before for [keptMarked]
//	session_clients  a session's lifetime
//	logout_notices   a day, deleted by whoever looks for those that are due
//	proofs           as long as any replica would take the proof
//	pushed_requests  [PushedLifetime]
//	initial_tokens   [keptInitialTokens] after their end
//	profiles         that registered themselves without a token: [openUnusedFor], unless used
//	events           [audit.Retention]
//	refusals         [audit.MaxRefusals] per profile
//	changes          the newest [keptChanges]
package store
