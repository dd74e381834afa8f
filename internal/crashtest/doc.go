// Package crashtest kills a server at random moments and looks whether everything
// that it had acknowledged is still there. It has tests only.
package crashtest
