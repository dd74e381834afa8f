-- +goose Up
-- oldest program: 3
-- identities: accounts that have their home in another region, where they are known
-- as subject by issuer. An account has at most one home, and is one person's there.
CREATE TABLE identities (
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  account_id {int} NOT NULL UNIQUE REFERENCES accounts (id) ON DELETE CASCADE,
  created_at {int} NOT NULL,
  PRIMARY KEY (issuer, subject)
) {keyed};

-- home_session is the name of the session at home that this one came from, '' for
-- one that began here.
ALTER TABLE sessions ADD COLUMN home_session TEXT NOT NULL DEFAULT '';

-- region names the other region of this service that a profile lets sign people in
-- with their account here, '' for every application.
ALTER TABLE profiles ADD COLUMN region TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX profiles_by_region ON profiles (region) WHERE region <> '';

-- +goose Down
SELECT 1;
