-- What clusters have been told of the networks that they have.

-- How often that has become another since a cluster first had the network, and how many
-- of these changes it knows.
ALTER TABLE cluster_network
    ADD COLUMN changed bigint NOT NULL DEFAULT 0,
    ADD COLUMN told    bigint NOT NULL DEFAULT 0;
CREATE INDEX cluster_network_outdated ON cluster_network (cluster_id)
    WHERE told < changed;

-- Nobody has told them anything until now.
UPDATE cluster_network SET changed = 1;

-- Whoever puts a network on a cluster holds the network meanwhile: a change is seen by
-- them, or is counted here.
CREATE FUNCTION wiring_changed() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    which uuid;
BEGIN
    IF TG_TABLE_NAME = 'network' THEN
        which := NEW.id;
    ELSE
        which := coalesce(NEW.network_id, OLD.network_id);
    END IF;
    PERFORM FROM network WHERE id = which FOR NO KEY UPDATE;
    UPDATE cluster_network SET changed = changed + 1 WHERE network_id = which;
    IF FOUND THEN
        NOTIFY orders;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER wiring_changed AFTER UPDATE OF mtu ON network FOR EACH ROW
    WHEN (OLD.mtu IS DISTINCT FROM NEW.mtu)
    EXECUTE FUNCTION wiring_changed();
CREATE TRIGGER wiring_changed AFTER UPDATE OF gateway, dhcp, dns, host_routes ON subnet
    FOR EACH ROW
    WHEN ((OLD.gateway, OLD.dhcp, OLD.dns, OLD.host_routes)
        IS DISTINCT FROM (NEW.gateway, NEW.dhcp, NEW.dns, NEW.host_routes))
    EXECUTE FUNCTION wiring_changed();
CREATE TRIGGER wiring_changed_more AFTER INSERT OR DELETE ON subnet FOR EACH ROW
    EXECUTE FUNCTION wiring_changed();

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

-- A node's tags name a port also when its NIC is gone, until they have been taken away:
-- were the port to come back before that, so would its floating IPs.  So a server keeps
-- them until Ganeti has said that its tags are without them, or that it is gone itself.
CREATE OR REPLACE FUNCTION floating_ip_follows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO floating_ip_holder (floating_ip_id, server_id)
    SELECT f.id, NEW.server_id FROM floating_ip f
    WHERE f.port_id = NEW.id AND NEW.server_id IS NOT NULL
    ON CONFLICT (floating_ip_id, server_id) DO UPDATE SET ended_by = NULL;
    RETURN NEW;
END $$;
DROP TRIGGER floating_ip_follows_deleted ON port;
