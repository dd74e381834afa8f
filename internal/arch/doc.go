// Package arch holds the tests of the project's structure: which package may
// import which, and which modules the binary is made of.
package arch
