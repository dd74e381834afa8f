-- Lists stay quick however long they are.

-- +goose Up
-- list_version counts the changes of a type's reports: what is kept of a list is good
-- for one version of it.
ALTER TABLE report_types ADD COLUMN list_version {int} NOT NULL DEFAULT 0;

-- Pages of channels and types are read from these in their order.
CREATE INDEX channels_by_name ON channels (account_id, group_id, name, territory, id);
CREATE INDEX report_types_by_name ON report_types (channel_id, name, cadence, id);

-- Lists of reports are counted by what is kept of them.
DROP INDEX reports_by_modified;

-- replaced_archives: archives of versions that were corrected, until they are removed.
CREATE TABLE replaced_archives (
  file TEXT NOT NULL PRIMARY KEY,
  replaced_at {int} NOT NULL
) {keyed};
CREATE INDEX replaced_archives_by_time ON replaced_archives (replaced_at);

-- logouts: digests of the ids of logout tokens that were followed.
CREATE TABLE logouts (
  digest {bytes} NOT NULL PRIMARY KEY,
  expires_at {int} NOT NULL
) {keyed};
CREATE INDEX logouts_by_expiry ON logouts (expires_at);

-- +goose Down
SELECT 1;
