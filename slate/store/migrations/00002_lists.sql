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

-- +goose Down
SELECT 1;
