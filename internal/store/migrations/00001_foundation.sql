-- One text for both databases: {id}, {int}, {bytes}, {strict} and {keyed} are
-- expanded by sqldb. Times are Unix microseconds, 0 where there is none. Ids are
-- made by the application, ascending in time and never used twice, not even after
-- a backup has been restored: sealed tokens outlive rows.

-- +goose Up
CREATE TABLE meta (
  name TEXT NOT NULL PRIMARY KEY,
  value {bytes} NOT NULL
) {keyed};

CREATE TABLE sealing_keys (
  id {int} NOT NULL PRIMARY KEY,
  secret {bytes} NOT NULL,
  created_at {int} NOT NULL,
  usable_from {int} NOT NULL
) {strict};

-- feed has one row: the number of the newest change. It is the last row that a
-- transaction locks, so that the order of numbers is the order of commits.
CREATE TABLE feed (
  id {int} NOT NULL PRIMARY KEY,
  epoch {bytes} NOT NULL,
  newest {int} NOT NULL
) {strict};

CREATE TABLE changes (
  number {int} NOT NULL PRIMARY KEY,
  kind {int} NOT NULL,
  subject {bytes} NOT NULL
) {strict};

CREATE TABLE accounts (
  id {id},
  email TEXT NOT NULL,
  email_key TEXT NOT NULL UNIQUE,
  email_confirmed_at {int} NOT NULL,
  name TEXT NOT NULL,
  postal_code TEXT NOT NULL,
  password_hash TEXT NOT NULL,
  created_at {int} NOT NULL,
  updated_at {int} NOT NULL,
  disabled_at {int} NOT NULL,
  version {int} NOT NULL
) {strict};

CREATE TABLE developers (
  id {id},
  company TEXT NOT NULL,
  country TEXT NOT NULL,
  created_at {int} NOT NULL
) {strict};

CREATE TABLE members (
  developer_id {int} NOT NULL REFERENCES developers (id) ON DELETE CASCADE,
  account_id {int} NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  created_at {int} NOT NULL,
  PRIMARY KEY (developer_id, account_id)
) {keyed};
CREATE INDEX members_by_account ON members (account_id);

CREATE TABLE sessions (
  digest {bytes} NOT NULL PRIMARY KEY,
  account_id {int} NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  created_at {int} NOT NULL,
  authenticated_at {int} NOT NULL,
  last_seen_at {int} NOT NULL,
  expires_at {int} NOT NULL,
  user_agent TEXT NOT NULL,
  address TEXT NOT NULL
) {keyed};
CREATE INDEX sessions_by_account ON sessions (account_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE recoveries (
  digest {bytes} NOT NULL PRIMARY KEY,
  account_id {int} NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  mailed_to TEXT NOT NULL,
  expires_at {int} NOT NULL
) {keyed};
CREATE INDEX recoveries_by_account ON recoveries (account_id);
CREATE INDEX recoveries_by_expiry ON recoveries (expires_at);

-- throttles holds one moment per key (GCRA): when the key's bucket is full again.
CREATE TABLE throttles (
  key {bytes} NOT NULL PRIMARY KEY,
  full_at {int} NOT NULL
) {keyed};
CREATE INDEX throttles_by_expiry ON throttles (full_at);

CREATE TABLE logos (
  hash {bytes} NOT NULL PRIMARY KEY,
  png {bytes} NOT NULL
) {strict};

CREATE TABLE profiles (
  id {id},
  developer_id {int} NOT NULL REFERENCES developers (id) ON DELETE CASCADE,
  client_key {bytes} NOT NULL UNIQUE,
  application_key {bytes} NOT NULL UNIQUE,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  privacy_url TEXT NOT NULL,
  search_text TEXT NOT NULL,
  logo {bytes} NOT NULL,
  created_at {int} NOT NULL,
  updated_at {int} NOT NULL,
  last_used_at {int} NOT NULL,
  suspended_at {int} NOT NULL,
  version {int} NOT NULL
) {strict};
CREATE INDEX profiles_by_developer ON profiles (developer_id, id);
CREATE INDEX profiles_by_logo ON profiles (logo);

CREATE TABLE return_urls (
  profile_id {int} NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
  position {int} NOT NULL,
  value TEXT NOT NULL,
  note TEXT NOT NULL,
  PRIMARY KEY (profile_id, position)
) {keyed};

CREATE TABLE origins (
  profile_id {int} NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
  position {int} NOT NULL,
  value TEXT NOT NULL,
  note TEXT NOT NULL,
  PRIMARY KEY (profile_id, position)
) {keyed};

CREATE TABLE secrets (
  id {id},
  profile_id {int} NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
  sealed {bytes} NOT NULL,
  digest {bytes} NOT NULL,
  created_at {int} NOT NULL,
  last_used_at {int} NOT NULL,
  expires_at {int} NOT NULL
) {strict};
CREATE INDEX secrets_by_profile ON secrets (profile_id);

CREATE TABLE grants (
  id {id},
  account_id {int} NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  profile_id {int} NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
  scopes {bytes} NOT NULL,
  asked {bytes} NOT NULL,
  created_at {int} NOT NULL,
  updated_at {int} NOT NULL,
  last_used_at {int} NOT NULL,
  UNIQUE (account_id, profile_id)
) {strict};
CREATE INDEX grants_by_profile ON grants (profile_id);

CREATE TABLE consents (
  id {id},
  grant_id {int} NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
  asked {bytes} NOT NULL,
  allowed {bytes} NOT NULL,
  words TEXT NOT NULL,
  given_at {int} NOT NULL
) {strict};
CREATE INDEX consents_by_grant ON consents (grant_id);

CREATE TABLE ended_families (
  grant_id {int} NOT NULL REFERENCES grants (id) ON DELETE CASCADE,
  family {bytes} NOT NULL,
  ended_at {int} NOT NULL,
  PRIMARY KEY (grant_id, family)
) {keyed};

-- redemptions: a code that is here has been redeemed, by the attempt named.
CREATE TABLE redemptions (
  code {bytes} NOT NULL PRIMARY KEY,
  attempt {bytes} NOT NULL,
  expires_at {int} NOT NULL
) {keyed};
CREATE INDEX redemptions_by_expiry ON redemptions (expires_at);

CREATE TABLE refusals (
  profile_id {int} NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
  cause {bytes} NOT NULL,
  endpoint TEXT NOT NULL,
  code TEXT NOT NULL,
  words TEXT NOT NULL,
  sent TEXT NOT NULL,
  nearest TEXT NOT NULL,
  request_id TEXT NOT NULL,
  count {int} NOT NULL,
  first_at {int} NOT NULL,
  last_at {int} NOT NULL,
  PRIMARY KEY (profile_id, cause)
) {keyed};

-- events has no foreign keys: it outlives what it tells of.
CREATE TABLE events (
  id {id},
  kind TEXT NOT NULL,
  at {int} NOT NULL,
  account_id {int} NOT NULL,
  actor_id {int} NOT NULL,
  profile_id {int} NOT NULL,
  detail TEXT NOT NULL,
  address TEXT NOT NULL,
  request_id TEXT NOT NULL
) {strict};
CREATE INDEX events_by_profile ON events (profile_id, id);
CREATE INDEX events_by_account ON events (account_id, id);

-- +goose Down
SELECT 1;
