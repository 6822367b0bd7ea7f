-- A domain that is deleted stays as a row, as its projects and users do: what refers to
-- them says who did what.  Its name is free again.
ALTER TABLE domain ADD COLUMN deleted timestamptz;
DROP INDEX domain_name;
CREATE UNIQUE INDEX domain_name ON domain (lower(name)) WHERE deleted IS NULL;
