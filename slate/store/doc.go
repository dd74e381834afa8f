// Package store owns every SQL statement of Slate: people, accounts and who may do
// what in them, the applications that were let in, and the catalogue of reports. The
// text is the same for SQLite and PostgreSQL.
//
// Who may see a thing is part of the statement that reads it: an account of which
// somebody is not a member is not found.
//
// Sessions and invitations expire; each insert of one deletes a few expired ones.
package store
