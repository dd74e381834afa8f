-- +goose Up
-- oldest program: 4
-- ended_families kept a row for each family that ended, for as long as its grant: one
-- for each sign-out of some applications. Now a row expires. issued_at is when the
-- family's refresh token was issued at the latest, 0 where that is not known.
-- expires_at is when nobody can have a token of the family any more that would be good
-- without the row: the largest number there is for a refresh token that has no end.
ALTER TABLE ended_families ADD COLUMN issued_at {int} NOT NULL DEFAULT 0;
ALTER TABLE ended_families ADD COLUMN expires_at {int} NOT NULL DEFAULT 9223372036854775807;
CREATE INDEX ended_families_by_expiry ON ended_families (expires_at);

-- ended_until: refresh tokens of the grant that do not rotate and were issued by then
-- have ended. It stands for the oldest rows of ended_families where there are many.
--
-- Programs that know schema 4 and not this one write rows that never expire, which is as
-- before. They do not read ended_until: to them a refresh token has ended as long as
-- its row is there, which is for a day from when ended_until has taken it in.
ALTER TABLE grants ADD COLUMN ended_until {int} NOT NULL DEFAULT 0;

-- A family whose refresh token rotates is told by its row in families: without one,
-- nothing is refreshed, and ended_families has to outlive access tokens only.
UPDATE ended_families SET expires_at = ended_at + 3900000000
  WHERE EXISTS (SELECT 1 FROM families AS f WHERE f.grant_id = ended_families.grant_id AND f.family = ended_families.family);
DELETE FROM families
  WHERE EXISTS (SELECT 1 FROM ended_families AS e WHERE e.grant_id = families.grant_id AND e.family = families.family);

-- +goose Down
SELECT 1;
