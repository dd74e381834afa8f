// Package slate wires the partner portal together: its database, the reports' folder,
// the reporting API and the pages, behind one handler.
//
// Slate is an outsider to Gatelodge. It signs people in there as any application does,
// and asks there about access tokens as any API does: by HTTP, with the credentials of
// a security profile of its own.
package slate
