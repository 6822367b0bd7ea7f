-- What a new server costs: the same is stored, with less work.

-- server_new_on_cluster begins with the same column and has the same rows.
DROP INDEX server_on_cluster;

-- Of a port's address everything is known without the view, whose five tables take longer
-- to be got ready than the row takes to be stored.
CREATE OR REPLACE FUNCTION address_taken() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off AS $$
BEGIN
    IF NEW.floating_ip_id IS NULL THEN
        INSERT INTO address_history (address, subnet_id, network_id, project_id, user_id,
            server, port_id, since)
        SELECT NEW.address, NEW.subnet_id, p.network_id, p.project_id, s.user_id, s.uuid,
            p.id, clock_timestamp()
        FROM port p LEFT JOIN server s ON s.id = p.server_id WHERE p.id = NEW.port_id;
    ELSE
        INSERT INTO address_history (address, subnet_id, network_id, project_id, user_id,
            server, port_id, floating_ip_id, since)
        SELECT o.*, clock_timestamp() FROM address_owner o
        WHERE o.subnet_id = NEW.subnet_id AND o.address = NEW.address;
    END IF;
    -- One that somebody is just looking at is passed over by them: no need to wait.
    DELETE FROM free_address WHERE id IN (
        SELECT f.id FROM free_address f
        WHERE f.subnet_id = NEW.subnet_id AND f.address = NEW.address
        FOR UPDATE SKIP LOCKED);
    RETURN NULL;
END $$;

-- As in 0015.sql, but that what is taken is no longer free by the trigger alone, and that
-- the subnet is looked at only where nothing unused is put out.
CREATE OR REPLACE FUNCTION take_address(
    which uuid, for_port uuid, for_floating_ip uuid, wait_for_others boolean,
    OUT tried boolean, OUT taken text
) LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    next record;
BEGIN
    IF wait_for_others THEN
        SELECT f.id, f.address INTO next FROM free_address f
        WHERE f.subnet_id = which AND (f.released IS NULL
            OR (SELECT s.offered_all FROM subnet s WHERE s.id = which))
        ORDER BY f.released NULLS FIRST, f.id LIMIT 1 FOR UPDATE OF f;
    ELSE
        SELECT f.id, f.address INTO next FROM free_address f
        WHERE f.subnet_id = which AND f.released IS NULL
        ORDER BY f.released NULLS FIRST, f.id LIMIT 1 FOR UPDATE SKIP LOCKED;
        -- What was released counts only once there is nothing left that is unused.
        IF NOT FOUND AND (SELECT s.offered_all FROM subnet s WHERE s.id = which) THEN
            SELECT f.id, f.address INTO next FROM free_address f
            WHERE f.subnet_id = which
            ORDER BY f.released NULLS FIRST, f.id LIMIT 1 FOR UPDATE SKIP LOCKED;
        END IF;
    END IF;
    tried := FOUND;
    IF tried THEN
        INSERT INTO address (subnet_id, address, port_id, floating_ip_id)
        VALUES (which, next.address, for_port, for_floating_ip)
        ON CONFLICT (subnet_id, address) DO NOTHING RETURNING host(address) INTO taken;
        IF taken IS NULL THEN
            DELETE FROM free_address WHERE id = next.id;
        END IF;
    END IF;
END $$;
