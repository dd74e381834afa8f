-- One text for both databases (package sqldb expands the words in braces). Times are
-- Unix microseconds, 0 where there is none; days are days since 1 January 1970.

-- +goose Up
CREATE TABLE meta (
  name TEXT NOT NULL PRIMARY KEY,
  value {bytes} NOT NULL
) {keyed};

-- people: subject is the user id that Gatelodge knows them by here, user_code what
-- they pass on to be let into an account.
CREATE TABLE people (
  id {id},
  subject TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  email TEXT NOT NULL,
  email_key TEXT NOT NULL,
  user_code TEXT NOT NULL UNIQUE,
  created_at {int} NOT NULL,
  seen_at {int} NOT NULL
) {strict};

CREATE TABLE sessions (
  digest {bytes} NOT NULL PRIMARY KEY,
  person_id {int} NOT NULL REFERENCES people (id) ON DELETE CASCADE,
  gatelodge_sid TEXT NOT NULL,
  created_at {int} NOT NULL,
  expires_at {int} NOT NULL
) {keyed};
CREATE INDEX sessions_by_person ON sessions (person_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

-- accounts: numbers are 1001 and on; statement_id is the id under which the
-- company's financial statements are kept elsewhere, '' for none.
CREATE TABLE accounts (
  id {id},
  name TEXT NOT NULL,
  statement_id TEXT NOT NULL,
  created_at {int} NOT NULL
) {strict};
CREATE UNIQUE INDEX accounts_by_statement ON accounts (statement_id) WHERE statement_id <> '';

CREATE TABLE members (
  account_id {int} NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  person_id {int} NOT NULL REFERENCES people (id) ON DELETE CASCADE,
  manage {int} NOT NULL,
  reports {int} NOT NULL,
  created_at {int} NOT NULL,
  PRIMARY KEY (account_id, person_id)
) {keyed};
CREATE INDEX members_by_person ON members (person_id);

CREATE TABLE invitations (
  id {id},
  account_id {int} NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  email TEXT NOT NULL,
  email_key TEXT NOT NULL,
  manage {int} NOT NULL,
  reports {int} NOT NULL,
  invited_by {int} NOT NULL,
  created_at {int} NOT NULL,
  expires_at {int} NOT NULL,
  UNIQUE (account_id, email_key)
) {strict};
CREATE INDEX invitations_by_email ON invitations (email_key);
CREATE INDEX invitations_by_expiry ON invitations (expires_at);

-- applications: who may call the API for an account. Name and publisher are what
-- Gatelodge said of the client when it was added; purpose is written by who added it.
CREATE TABLE applications (
  id {id},
  account_id {int} NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  client_id TEXT NOT NULL,
  reporting {int} NOT NULL,
  name TEXT NOT NULL,
  publisher TEXT NOT NULL,
  purpose TEXT NOT NULL,
  added_by {int} NOT NULL,
  added_at {int} NOT NULL,
  last_call_at {int} NOT NULL,
  UNIQUE (account_id, client_id)
) {strict};

-- channels are what a report group has: channels, studios, or, of financial
-- statements, the report identifiers. folder is the name in the reports' folder.
CREATE TABLE channels (
  id {id},
  account_id {int} NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  group_id TEXT NOT NULL,
  folder TEXT NOT NULL,
  name TEXT NOT NULL,
  territory TEXT NOT NULL,
  UNIQUE (account_id, group_id, folder)
) {strict};

-- report_types: columns is the header row that all reports of the type have.
CREATE TABLE report_types (
  id {id},
  channel_id {int} NOT NULL REFERENCES channels (id) ON DELETE CASCADE,
  folder TEXT NOT NULL,
  name TEXT NOT NULL,
  cadence TEXT NOT NULL,
  columns TEXT NOT NULL,
  UNIQUE (channel_id, folder)
) {strict};

-- reports: one row per period; a corrected file is its next version. file names the
-- archive among the published ones, '' where there was no activity; digest is of the
-- source, archive_digest of the archive.
CREATE TABLE reports (
  id {id},
  type_id {int} NOT NULL REFERENCES report_types (id) ON DELETE CASCADE,
  begin_day {int} NOT NULL,
  end_day {int} NOT NULL,
  version {int} NOT NULL,
  modified_at {int} NOT NULL,
  row_count {int} NOT NULL,
  file TEXT NOT NULL,
  bytes {int} NOT NULL,
  digest {bytes} NOT NULL,
  archive_digest {bytes} NOT NULL,
  UNIQUE (type_id, begin_day, end_day)
) {strict};
-- Lists are counted by the first of these, and their pages found in the second, both
-- without touching the rows.
CREATE INDEX reports_by_modified ON reports (type_id, modified_at);
CREATE INDEX reports_by_period ON reports (type_id, begin_day, end_day, modified_at, id);

-- sources: the files of the reports' folder that were read, and what came of it.
CREATE TABLE sources (
  path TEXT NOT NULL PRIMARY KEY,
  bytes {int} NOT NULL,
  changed_at {int} NOT NULL,
  digest {bytes} NOT NULL,
  problem TEXT NOT NULL,
  read_at {int} NOT NULL
) {keyed};

-- weeks: what the dashboard plots, summed when a report is published.
CREATE TABLE weeks (
  channel_id {int} NOT NULL REFERENCES channels (id) ON DELETE CASCADE,
  type_id {int} NOT NULL REFERENCES report_types (id) ON DELETE CASCADE,
  begin_day {int} NOT NULL,
  measure TEXT NOT NULL,
  value {int} NOT NULL,
  PRIMARY KEY (channel_id, type_id, begin_day, measure)
) {keyed};

-- events: who did what in an account.
CREATE TABLE events (
  id {id},
  account_id {int} NOT NULL,
  actor_id {int} NOT NULL,
  kind TEXT NOT NULL,
  detail TEXT NOT NULL,
  at {int} NOT NULL
) {strict};
CREATE INDEX events_by_account ON events (account_id, id);

-- +goose Down
SELECT 1;
