-- Images that are made of servers' disks.

ALTER TABLE image_upload
    DROP CONSTRAINT image_upload_kind_check,
    ADD CONSTRAINT image_upload_kind_check
        CHECK (kind IN ('upload', 'stage', 'import', 'snapshot')),
    -- Of a snapshot: how far its node is, which copies before it sends.
    ADD COLUMN percent smallint NOT NULL DEFAULT 0 CHECK (percent BETWEEN 0 AND 100);

-- Which order makes an image.
CREATE INDEX orders_image ON orders ((arguments #>> '{snapshot,image}'))
    WHERE kind = 'image' AND state IN ('new', 'submitting', 'submitted');

-- An order ends in several ways (its job failed, its server is gone, it was called off),
-- and none can forget that there is no image then: it is deleted, as Nova does, and
-- what was counted for it is given back.  One whose data is there has no upload open.
CREATE FUNCTION image_failed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    which   uuid := (NEW.arguments #>> '{snapshot,image}')::uuid;
    whose   uuid;
    counted bigint;
BEGIN
    SELECT project_id INTO whose FROM image WHERE id = which FOR NO KEY UPDATE;
    UPDATE image_upload u SET state = 'failure', message = coalesce(NEW.error, ''),
        counted_bytes = 0, updated = now()
    FROM (SELECT id, counted_bytes FROM image_upload
          WHERE image_id = which AND state = 'running' FOR UPDATE) open
    WHERE u.id = open.id RETURNING open.counted_bytes INTO counted;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    UPDATE quota_usage SET used = used - counted
    WHERE project_id = whose AND resource = 'image_bytes' AND counted > 0;
    DELETE FROM image_member WHERE image_id = which;
    UPDATE image SET deleted = now(), updated = now() WHERE id = which;
    RETURN NULL;
END $$;
CREATE TRIGGER image_failed AFTER UPDATE OF state ON orders FOR EACH ROW
    WHEN (NEW.kind = 'image' AND NEW.state = 'failed' AND OLD.state <> 'failed')
    EXECUTE FUNCTION image_failed();
