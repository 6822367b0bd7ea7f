-- Floating IPs; who had which address when; addresses that the next taker gets.

CREATE TABLE floating_ip (
    id          uuid PRIMARY KEY,
    project_id  uuid NOT NULL REFERENCES project,
    user_id     uuid NOT NULL,              -- who asked for it
    network_id  uuid NOT NULL REFERENCES network,
    port_id     uuid REFERENCES port ON DELETE SET NULL,
    fixed       inet,                       -- that of the port which it stands for
    description text NOT NULL DEFAULT '',
    tags        text[] NOT NULL DEFAULT '{}',
    revision    bigint NOT NULL DEFAULT 0,
    -- Deleted for its owner.  The row and its address stay until no node has it.
    deleted     timestamptz,
    created     timestamptz NOT NULL DEFAULT now(),
    updated     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX floating_ip_of_project ON floating_ip (project_id, id);
CREATE INDEX floating_ip_on_network ON floating_ip (network_id);
CREATE INDEX floating_ip_deleted ON floating_ip (deleted) WHERE deleted IS NOT NULL;
-- Of a fixed address there is one at most.
CREATE UNIQUE INDEX floating_ip_of_port ON floating_ip (port_id, fixed)
    WHERE port_id IS NOT NULL;

-- The servers whose nodes may answer for a floating IP: from before Ganeti is asked to
-- have them do so until it has confirmed that they no longer do.
CREATE TABLE floating_ip_holder (
    floating_ip_id uuid NOT NULL REFERENCES floating_ip ON DELETE CASCADE,
    server_id      bigint NOT NULL REFERENCES server ON DELETE CASCADE,
    -- The number of the order that ends it, or any later one; NULL: it is to last.
    ended_by       bigint,
    PRIMARY KEY (floating_ip_id, server_id)
);
CREATE INDEX floating_ip_held ON floating_ip_holder (server_id);

-- An address is a port's or a floating IP's, and its key has it be one thing's alone.
ALTER TABLE address
    ALTER COLUMN port_id DROP NOT NULL,
    ADD COLUMN floating_ip_id uuid UNIQUE REFERENCES floating_ip ON DELETE CASCADE,
    ADD CONSTRAINT address_of_one CHECK (num_nonnulls(port_id, floating_ip_id) = 1);

-- What the next takers get: addresses that have not been used yet (released is NULL),
-- put here some at a time, and those that have been.  It only proposes: one that is
-- taken nevertheless is passed over.  So there is no key, on which takers would wait.
CREATE TABLE free_address (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subnet_id uuid NOT NULL REFERENCES subnet ON DELETE CASCADE,
    address   inet NOT NULL,
    released  timestamptz
);
CREATE INDEX free_address_next ON free_address (subnet_id, released NULLS FIRST, id);
CREATE INDEX free_address_at ON free_address (subnet_id, address);

ALTER TABLE subnet
    ADD COLUMN offered     inet,                    -- up to here; NULL: nothing yet
    ADD COLUMN offered_all boolean NOT NULL DEFAULT false;

-- Who had an address from when to when.  It refers to nothing: it outlives all that.
CREATE TABLE address_history (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    address        inet NOT NULL,
    subnet_id      uuid NOT NULL,
    network_id     uuid NOT NULL,
    project_id     uuid NOT NULL,
    user_id        uuid,                    -- the server's, or the floating IP's
    server         uuid,
    port_id        uuid,
    floating_ip_id uuid,
    since          timestamptz NOT NULL,
    until          timestamptz              -- NULL: has it still
);
CREATE UNIQUE INDEX address_history_now ON address_history (subnet_id, address)
    WHERE until IS NULL;
CREATE INDEX address_history_at ON address_history (address, since);
CREATE INDEX address_history_until ON address_history (until) WHERE until IS NOT NULL;

CREATE VIEW address_owner AS
    SELECT a.address, a.subnet_id, u.network_id,
        coalesce(f.project_id, p.project_id) AS project_id,
        coalesce(f.user_id, s.user_id) AS user_id, s.uuid AS server,
        p.id AS port_id, f.id AS floating_ip_id
    FROM address a JOIN subnet u ON u.id = a.subnet_id
    LEFT JOIN floating_ip f ON f.id = a.floating_ip_id
    LEFT JOIN port p ON p.id = coalesce(a.port_id, f.port_id)
    LEFT JOIN server s ON s.id = p.server_id;

INSERT INTO address_history (address, subnet_id, network_id, project_id, user_id,
    server, port_id, since)
SELECT o.address, o.subnet_id, o.network_id, o.project_id, o.user_id, o.server,
    o.port_id, p.created
FROM address_owner o JOIN port p ON p.id = o.port_id;

-- Triggers, so that whoever takes or frees an address, be it by a cascade, does all of
-- this in the same transaction.  The time is that of the clock, not of the transaction's
-- beginning: who takes an address has waited for who freed it, and so comes after.

CREATE FUNCTION address_taken() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO address_history (address, subnet_id, network_id, project_id, user_id,
        server, port_id, floating_ip_id, since)
    SELECT o.*, clock_timestamp() FROM address_owner o
    WHERE o.subnet_id = NEW.subnet_id AND o.address = NEW.address;
    -- One that somebody is just looking at is passed over by them: no need to wait.
    DELETE FROM free_address WHERE id IN (
        SELECT f.id FROM free_address f
        WHERE f.subnet_id = NEW.subnet_id AND f.address = NEW.address
        FOR UPDATE SKIP LOCKED);
    RETURN NULL;
END $$;
CREATE TRIGGER address_taken AFTER INSERT ON address
    FOR EACH ROW EXECUTE FUNCTION address_taken();

CREATE FUNCTION address_freed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE address_history SET until = clock_timestamp()
    WHERE subnet_id = OLD.subnet_id AND address = OLD.address AND until IS NULL;
    -- Not the many that are on an IPv6 subnet without being from its pool's beginning.
    INSERT INTO free_address (subnet_id, address, released)
    SELECT u.id, OLD.address, clock_timestamp() FROM subnet u
    WHERE u.id = OLD.subnet_id AND EXISTS (SELECT FROM allocation_pool p
        WHERE p.subnet_id = u.id AND OLD.address BETWEEN p.first AND p.last)
      AND (family(OLD.address) = 4 OR OLD.address <= u.offered);
    RETURN NULL;
END $$;
CREATE TRIGGER address_freed AFTER DELETE ON address
    FOR EACH ROW EXECUTE FUNCTION address_freed();

-- The address stays, and who has it becomes another.
CREATE FUNCTION address_passed_on() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz := clock_timestamp();
    passed address_owner[] := ARRAY(
        SELECT o FROM address_owner o WHERE CASE TG_TABLE_NAME
            WHEN 'port' THEN o.port_id = NEW.id ELSE o.floating_ip_id = NEW.id END);
BEGIN
    -- What was taken in this very transaction nobody has had before.
    UPDATE address_history h SET (project_id, user_id, server, port_id, floating_ip_id)
        = (o.project_id, o.user_id, o.server, o.port_id, o.floating_ip_id)
    FROM unnest(passed) o
    WHERE h.subnet_id = o.subnet_id AND h.address = o.address AND h.until IS NULL
        AND h.since >= now();
    passed := ARRAY(SELECT o FROM unnest(passed) o WHERE NOT EXISTS (
        SELECT FROM address_history h WHERE h.subnet_id = o.subnet_id
        AND h.address = o.address AND h.until IS NULL AND h.since >= now()));
    UPDATE address_history h SET until = moment FROM unnest(passed) o
    WHERE h.subnet_id = o.subnet_id AND h.address = o.address AND h.until IS NULL;
    INSERT INTO address_history (address, subnet_id, network_id, project_id, user_id,
        server, port_id, floating_ip_id, since)
    SELECT o.*, moment FROM unnest(passed) o;
    RETURN NULL;
END $$;
CREATE TRIGGER address_passed_on AFTER UPDATE OF server_id ON port FOR EACH ROW
    WHEN (OLD.server_id IS DISTINCT FROM NEW.server_id)
    EXECUTE FUNCTION address_passed_on();
CREATE TRIGGER address_passed_on AFTER UPDATE OF port_id ON floating_ip FOR EACH ROW
    WHEN (OLD.port_id IS DISTINCT FROM NEW.port_id)
    EXECUTE FUNCTION address_passed_on();

-- With other pools the putting out begins anew.
CREATE FUNCTION subnet_pools() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed uuid := coalesce(NEW.subnet_id, OLD.subnet_id);
BEGIN
    DELETE FROM free_address WHERE subnet_id = changed;
    UPDATE subnet SET offered = NULL, offered_all = false
    WHERE id = changed AND offered IS NOT NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER subnet_pools AFTER INSERT OR UPDATE OR DELETE ON allocation_pool
    FOR EACH ROW EXECUTE FUNCTION subnet_pools();

-- A port is removed, or leaves its server, only when Ganeti has said that its NIC is
-- gone; and with that what the node did for its floating IPs is.
CREATE FUNCTION floating_ip_follows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM floating_ip_holder h USING floating_ip f
    WHERE f.port_id = OLD.id AND h.floating_ip_id = f.id
      AND h.server_id = OLD.server_id AND h.ended_by IS NULL;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    INSERT INTO floating_ip_holder (floating_ip_id, server_id)
    SELECT f.id, NEW.server_id FROM floating_ip f
    WHERE f.port_id = NEW.id AND NEW.server_id IS NOT NULL
    ON CONFLICT (floating_ip_id, server_id) DO UPDATE SET ended_by = NULL;
    RETURN NEW;
END $$;
CREATE TRIGGER floating_ip_follows_deleted BEFORE DELETE ON port
    FOR EACH ROW EXECUTE FUNCTION floating_ip_follows();
CREATE TRIGGER floating_ip_follows_moved BEFORE UPDATE OF server_id ON port FOR EACH ROW
    WHEN (OLD.server_id IS DISTINCT FROM NEW.server_id)
    EXECUTE FUNCTION floating_ip_follows();

-- With its last holder a deleted one goes, and its address is free.
CREATE FUNCTION floating_ip_let_go() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Of two who let go at once the second sees that it is the last.
    PERFORM FROM floating_ip WHERE id = OLD.floating_ip_id FOR UPDATE;
    DELETE FROM floating_ip f WHERE f.id = OLD.floating_ip_id AND f.deleted IS NOT NULL
        AND NOT EXISTS (SELECT FROM floating_ip_holder h WHERE h.floating_ip_id = f.id);
    RETURN NULL;
END $$;
CREATE TRIGGER floating_ip_let_go AFTER DELETE ON floating_ip_holder
    FOR EACH ROW EXECUTE FUNCTION floating_ip_let_go();

-- As with servers: one asked for while its project is being deleted.
CREATE TRIGGER floating_ip_project_lives BEFORE INSERT ON floating_ip
    FOR EACH ROW EXECUTE FUNCTION server_project_lives();
