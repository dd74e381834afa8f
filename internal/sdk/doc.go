// Package sdk owns what pages of applications load into themselves: the script
// login.js and the drawings of the Login button. Both are served to every origin and
// say nothing about anybody; what the script may do is decided by the endpoints that
// it calls (package provider) and written down at /help/javascript.
package sdk
