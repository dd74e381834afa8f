//go:build !(darwin || freebsd || linux || netbsd || openbsd)

package main

const (
	waiting = iota
	atOnce
)

// lock does nothing here: whoever runs the program sees to it that it runs once.
func lock(string, int) (unlock func(), err error) { return func() {}, nil }
