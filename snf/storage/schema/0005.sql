-- Resizing servers.

ALTER TABLE server
    -- A resize that is not over: its phase, both flavors, the order that is waited for.
    -- NULL: none.  See snf.core.resize.
    ADD COLUMN resize   jsonb,
    -- What the disk has grown to, where that may be more than the flavor says.
    ADD COLUMN disk_gib integer;

-- Those that wait for their owner's word.
CREATE INDEX server_resized ON server (id)
    WHERE status = 'VERIFY_RESIZE' AND deleted IS NULL;

-- An action may need several orders: all those with its request.
CREATE INDEX orders_of_request ON orders (server_id, request_id);

-- NULL: nobody; the cloud itself, by its configuration.
ALTER TABLE server_action ALTER COLUMN user_id DROP NOT NULL;
