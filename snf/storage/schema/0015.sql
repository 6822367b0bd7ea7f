-- What clusters have been told of networks; how addresses are found; who has floating IPs.

-- Who takes an address looks for single rows in tables that can be large.  How is decided
-- once a connection; it is not to be decided for small tables, and kept.
CREATE FUNCTION take_address(
    which uuid, for_port uuid, for_floating_ip uuid, wait_for_others boolean,
    OUT tried boolean, OUT taken text
) LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    next record;
    everything boolean := (SELECT s.offered_all FROM subnet s WHERE s.id = which);
BEGIN
    IF wait_for_others THEN
        SELECT f.id, f.address INTO next FROM free_address f
        WHERE f.subnet_id = which AND (f.released IS NULL OR everything)
        ORDER BY f.released NULLS FIRST, f.id LIMIT 1 FOR UPDATE;
    ELSE
        SELECT f.id, f.address INTO next FROM free_address f
        WHERE f.subnet_id = which AND f.released IS NULL
        ORDER BY f.released NULLS FIRST, f.id LIMIT 1 FOR UPDATE SKIP LOCKED;
        -- What was released counts only once there is nothing left that is unused.
        IF NOT FOUND AND everything THEN
            SELECT f.id, f.address INTO next FROM free_address f
            WHERE f.subnet_id = which
            ORDER BY f.released NULLS FIRST, f.id LIMIT 1 FOR UPDATE SKIP LOCKED;
        END IF;
    END IF;
    tried := FOUND;
    IF tried THEN
        DELETE FROM free_address WHERE id = next.id;
        INSERT INTO address (subnet_id, address, port_id, floating_ip_id)
        VALUES (which, next.address, for_port, for_floating_ip)
        ON CONFLICT (subnet_id, address) DO NOTHING RETURNING host(address) INTO taken;
    END IF;
END $$;
ALTER FUNCTION address_taken() SET enable_seqscan = off;
ALTER FUNCTION address_freed() SET enable_seqscan = off;
ALTER FUNCTION address_passed_on() SET enable_seqscan = off;
