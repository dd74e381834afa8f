-- +goose Up
-- logouts: digests of the ids of logout tokens that were followed.
CREATE TABLE logouts (
  digest {bytes} NOT NULL PRIMARY KEY,
  expires_at {int} NOT NULL
) {keyed};
CREATE INDEX logouts_by_expiry ON logouts (expires_at);

-- +goose Down
SELECT 1;
