-- +goose Up
-- replaced_archives: archives of versions that were corrected, until they are removed.
CREATE TABLE replaced_archives (
  file TEXT NOT NULL PRIMARY KEY,
  replaced_at {int} NOT NULL
) {keyed};
CREATE INDEX replaced_archives_by_time ON replaced_archives (replaced_at);

-- +goose Down
SELECT 1;
