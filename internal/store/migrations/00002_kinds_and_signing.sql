-- +goose Up
ALTER TABLE profiles ADD COLUMN kind {int} NOT NULL DEFAULT 0;
ALTER TABLE profiles ADD COLUMN id_token_alg TEXT NOT NULL DEFAULT 'RS256';
ALTER TABLE profiles ADD COLUMN implicit {int} NOT NULL DEFAULT 0;

-- families: the current step of rotating refresh tokens, one row per family.
CREATE TABLE families (
  grant_id {int} NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
  family {bytes} NOT NULL,
  step {int} NOT NULL,
  stepped_at {int} NOT NULL,
  PRIMARY KEY (grant_id, family)
) {keyed};

CREATE TABLE signing_keys (
  id TEXT NOT NULL PRIMARY KEY,
  alg TEXT NOT NULL,
  private {bytes} NOT NULL,
  created_at {int} NOT NULL,
  usable_from {int} NOT NULL,
  retired_at {int} NOT NULL
) {keyed};

-- +goose Down
SELECT 1;
