// Package bench measures the real binary from outside: server CPU time per
// request, beside a floor in the same run, and how it starts. It has benchmarks
// only: a timed test is a flaky test.
//
//	go test -run '^$' -bench . ./bench
//
// The floor is a bare net/http handler that parses the form and answers constant
// JSON, in a process of its own. Compare the metric server-µs/op; wall time is the
// driver's as well.
package bench
