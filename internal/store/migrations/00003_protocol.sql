-- +goose Up
-- operator_since: since when the account may do in the console what is the operator's.
ALTER TABLE accounts ADD COLUMN operator_since {int} NOT NULL DEFAULT 0;

ALTER TABLE profiles ADD COLUMN auth_method {int} NOT NULL DEFAULT 0;
ALTER TABLE profiles ADD COLUMN jwks TEXT NOT NULL DEFAULT '';
ALTER TABLE profiles ADD COLUMN jwks_uri TEXT NOT NULL DEFAULT '';
ALTER TABLE profiles ADD COLUMN require_dpop {int} NOT NULL DEFAULT 0;
ALTER TABLE profiles ADD COLUMN require_par {int} NOT NULL DEFAULT 0;
ALTER TABLE profiles ADD COLUMN backchannel_logout_uri TEXT NOT NULL DEFAULT '';
ALTER TABLE profiles ADD COLUMN token_format {int} NOT NULL DEFAULT 0;
-- audience: the identifier of the API that the profile is, '' for none. Only the
-- operator sets it.
ALTER TABLE profiles ADD COLUMN audience TEXT NOT NULL DEFAULT '';
-- dynamic: 1 where the application registered itself with a token of the developer
-- account, 2 where it did so without one and is alone in a developer account.
ALTER TABLE profiles ADD COLUMN dynamic {int} NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX profiles_by_audience ON profiles (audience) WHERE audience <> '';
CREATE INDEX profiles_open ON profiles (id) WHERE dynamic = 2;

CREATE TABLE post_logout_urls (
  profile_id {int} NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
  position {int} NOT NULL,
  value TEXT NOT NULL,
  note TEXT NOT NULL,
  PRIMARY KEY (profile_id, position)
) {keyed};

-- origins are also looked up by value, for requests that do not name a client yet.
CREATE INDEX origins_by_value ON origins (value);

-- scopes: a number is stored in grants and tokens, so it is never given to another
-- scope: a scope that ends keeps its row. audience is the profile of the API that it
-- is for, 0 for what this server answers itself.
CREATE TABLE scopes (
  number {int} NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  aliases TEXT NOT NULL,
  essential {int} NOT NULL,
  restricted {int} NOT NULL,
  without_user {int} NOT NULL,
  claims TEXT NOT NULL,
  audience {int} NOT NULL,
  retired_at {int} NOT NULL,
  version {int} NOT NULL
) {strict};

-- scope_names are the names and aliases that can be asked for: each is one scope's.
CREATE TABLE scope_names (
  name TEXT NOT NULL PRIMARY KEY,
  number {int} NOT NULL REFERENCES scopes (number) ON DELETE CASCADE
) {keyed};
CREATE INDEX scope_names_by_number ON scope_names (number);

CREATE TABLE scope_words (
  number {int} NOT NULL REFERENCES scopes (number) ON DELETE CASCADE,
  language TEXT NOT NULL,
  label TEXT NOT NULL,
  detail TEXT NOT NULL,
  PRIMARY KEY (number, language)
) {keyed};

-- profile_scopes: the scopes that the operator granted to a profile.
CREATE TABLE profile_scopes (
  profile_id {int} NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
  number {int} NOT NULL,
  PRIMARY KEY (profile_id, number)
) {keyed};
CREATE INDEX profile_scopes_by_number ON profile_scopes (number);

-- device_clients: client IDs of a profile for televisions and other devices.
CREATE TABLE device_clients (
  id {id},
  profile_id {int} NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
  client_key {bytes} NOT NULL UNIQUE,
  name TEXT NOT NULL,
  created_at {int} NOT NULL
) {strict};
CREATE INDEX device_clients_by_profile ON device_clients (profile_id, id);

-- device_pairs: codes are kept as digests. device is a device client, or the profile's
-- own client. grant_given is set by who allows it, attempt by the one poll that gets
-- the tokens.
CREATE TABLE device_pairs (
  device_code {bytes} NOT NULL PRIMARY KEY,
  user_code {bytes} NOT NULL UNIQUE,
  profile_id {int} NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
  device {int} NOT NULL,
  dialect {int} NOT NULL,
  essential {bytes} NOT NULL,
  voluntary {bytes} NOT NULL,
  state {int} NOT NULL,
  grant_given {int} NOT NULL,
  scopes {bytes} NOT NULL,
  authenticated_at {int} NOT NULL,
  attempt {bytes} NOT NULL,
  poll_interval {int} NOT NULL,
  polled_at {int} NOT NULL,
  expires_at {int} NOT NULL
) {keyed};
CREATE INDEX device_pairs_by_expiry ON device_pairs (expires_at);
CREATE INDEX device_pairs_by_profile ON device_pairs (profile_id);

-- pushed_requests: parameters are sealed, since they may hold a hint of who signs in.
CREATE TABLE pushed_requests (
  id {bytes} NOT NULL PRIMARY KEY,
  profile_id {int} NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
  sealed {bytes} NOT NULL,
  expires_at {int} NOT NULL
) {keyed};
CREATE INDEX pushed_requests_by_expiry ON pushed_requests (expires_at);
CREATE INDEX pushed_requests_by_profile ON pushed_requests (profile_id);

-- proofs: client assertions and DPoP proofs that were taken, each once. attempt
-- names the request that took it.
CREATE TABLE proofs (
  digest {bytes} NOT NULL PRIMARY KEY,
  attempt {bytes} NOT NULL,
  expires_at {int} NOT NULL
) {keyed};
CREATE INDEX proofs_by_expiry ON proofs (expires_at);

-- initial_tokens let applications register themselves for a developer account.
CREATE TABLE initial_tokens (
  id {id},
  developer_id {int} NOT NULL REFERENCES developers (id) ON DELETE CASCADE,
  digest {bytes} NOT NULL UNIQUE,
  label TEXT NOT NULL,
  uses_left {int} NOT NULL,
  created_at {int} NOT NULL,
  expires_at {int} NOT NULL
) {strict};
CREATE INDEX initial_tokens_by_developer ON initial_tokens (developer_id, id);
CREATE INDEX initial_tokens_by_expiry ON initial_tokens (expires_at);

-- sessions.id names a session to applications: the digest changes when its person
-- signs in again. Sessions of before have none, and end within a day of rest.
ALTER TABLE sessions ADD COLUMN id {int} NOT NULL DEFAULT 0;
CREATE INDEX sessions_by_id ON sessions (id);

-- session_clients: applications with a back-channel logout address that were given
-- an ID token in a session.
CREATE TABLE session_clients (
  session_id {int} NOT NULL,
  profile_id {int} NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
  expires_at {int} NOT NULL,
  PRIMARY KEY (session_id, profile_id)
) {keyed};
CREATE INDEX session_clients_by_profile ON session_clients (profile_id);
CREATE INDEX session_clients_by_expiry ON session_clients (expires_at);

-- logout_notices wait to be told to applications. user_id is an account that may be
-- deleted by now.
CREATE TABLE logout_notices (
  session_id {int} NOT NULL,
  profile_id {int} NOT NULL REFERENCES profiles (id) ON DELETE CASCADE,
  user_id {int} NOT NULL,
  attempts {int} NOT NULL,
  next_at {int} NOT NULL,
  expires_at {int} NOT NULL,
  PRIMARY KEY (session_id, profile_id)
) {keyed};
CREATE INDEX logout_notices_by_next ON logout_notices (next_at);
CREATE INDEX logout_notices_by_profile ON logout_notices (profile_id);
CREATE INDEX logout_notices_by_expiry ON logout_notices (expires_at);

-- +goose Down
SELECT 1;
