// Package bench measures the real binary from outside: server CPU time per
// request, beside a floor in the same run, and how it starts. It has benchmarks
// only: a timed test is a flaky test.
//
//	go test -run '^$' -bench . ./bench
//
// Two take minutes, and are left out unless they are told how large the database shall
// be. BenchmarkSize fills one, lets a day of traffic pass under a clock of its own, and
// compares with a small one; -size.postgres puts it on PostgreSQL. BenchmarkStorage
// says what people, profiles and grants take.
//
//	go test -run '^$' -bench 'Size|Storage' -benchtime 1x -timeout 2h ./bench -size.profiles 100000
//
// The floor is a bare net/http handler that parses the form and answers constant
// JSON, in a process of its own. Compare the metric server-µs/op; wall time is the
// driver's as well.
package bench
