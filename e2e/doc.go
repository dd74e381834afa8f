// Package e2e owns the journeys of people: a developer, a user and an application,
// each in a real Chromium or over real HTTP, on the real binary. It holds nothing
// but tests, and knows of the program only what stands on the screen and what is
// promised to the outside.
//
// A person finds things by their names. So do the tests: [page.press] and
// [page.fill] look the accessibility tree up as a screen reader does. Every page
// that a test comes by fails it by a console error, an uncaught exception or a
// violation of the content security policy.
//
// Judges are the client libraries that ordinary applications use. They run their
// flows against the same binary: those of Node as scripts of the folder judges, each
// a subtest of TestJudges. A person's part in a flow is a [visitor]'s, without a
// screen.
package e2e
