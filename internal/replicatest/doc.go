// Package replicatest runs three servers, as the real program, on one PostgreSQL
// database behind a balancer that gives each request to the next of them, and looks
// whether anybody can tell them from one. It has tests only.
package replicatest
