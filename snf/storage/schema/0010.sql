-- Networks and subnets that users make.

-- What Neutron says of all its things.
ALTER TABLE network
    ADD COLUMN description text NOT NULL DEFAULT '',
    ADD COLUMN tags        text[] NOT NULL DEFAULT '{}',
    ADD COLUMN revision    bigint NOT NULL DEFAULT 0;

ALTER TABLE subnet
    ADD COLUMN description text NOT NULL DEFAULT '',
    ADD COLUMN tags        text[] NOT NULL DEFAULT '{}',
    ADD COLUMN revision    bigint NOT NULL DEFAULT 0,
    ADD COLUMN updated     timestamptz NOT NULL DEFAULT now();

ALTER TABLE port
    ADD COLUMN description text NOT NULL DEFAULT '',
    ADD COLUMN tags        text[] NOT NULL DEFAULT '{}',
    ADD COLUMN revision    bigint NOT NULL DEFAULT 0;

-- What kind it is, and what follows from that; see snf.core.network.  One that has been
-- deleted stays, with its segment and its addresses, until no cluster has it any more.
ALTER TABLE network
    ADD COLUMN kind       text NOT NULL DEFAULT 'CUSTOM',
    ADD COLUMN segment    bigint,
    ADD COLUMN mac_prefix text,
    ADD COLUMN mtu        integer NOT NULL DEFAULT 1500 CHECK (mtu BETWEEN 68 AND 65535),
    ADD COLUMN drained    boolean NOT NULL DEFAULT false,  -- gives no new addresses
    ADD COLUMN deleted    timestamptz;
UPDATE network SET kind = 'IP_LESS_ROUTED' WHERE mode = 'routed';
CREATE UNIQUE INDEX network_segment ON network (kind, segment);
CREATE INDEX network_of_project ON network (project_id);
CREATE INDEX network_deleted ON network (deleted) WHERE deleted IS NOT NULL;

-- Whether addresses follow from MAC addresses (EUI-64); the pools are in a table now.
ALTER TABLE subnet
    ADD COLUMN eui64       boolean NOT NULL DEFAULT false,
    ADD COLUMN host_routes jsonb NOT NULL DEFAULT '[]',
    ALTER COLUMN pool_start DROP NOT NULL,
    ALTER COLUMN pool_end DROP NOT NULL;
-- Ganeti's networks have one of each.
CREATE UNIQUE INDEX subnet_of_network ON subnet (network_id, family(cidr));

-- All of a pool below ``next`` is taken or in address_freed, so that the lowest free
-- address is found without a walk over those that are taken.
CREATE TABLE allocation_pool (
    subnet_id uuid NOT NULL REFERENCES subnet ON DELETE CASCADE,
    first     inet NOT NULL,
    last      inet NOT NULL,
    next      inet NOT NULL,
    PRIMARY KEY (subnet_id, first),
    CHECK (first <= next AND next <= last)
) WITH (fillfactor = 50);
INSERT INTO allocation_pool (subnet_id, first, last, next)
SELECT id, pool_start, pool_end, pool_start FROM subnet;

-- Addresses that have been free since they were taken; some have been taken again.
CREATE TABLE address_freed (
    subnet_id uuid NOT NULL REFERENCES subnet ON DELETE CASCADE,
    address   inet NOT NULL,
    PRIMARY KEY (subnet_id, address)
);

CREATE FUNCTION address_freed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO address_freed (subnet_id, address)
    SELECT subnet_id, address FROM gone ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

CREATE TRIGGER address_freed AFTER DELETE ON address
    REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION address_freed();

-- A port or subnet asked for while its network is being deleted: the request begins
-- anew, and finds no network.
CREATE FUNCTION network_lives() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM network WHERE id = NEW.network_id AND deleted IS NULL FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the network is being deleted'
            USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER network_lives BEFORE INSERT ON port
    FOR EACH ROW EXECUTE FUNCTION network_lives();
CREATE TRIGGER network_lives BEFORE INSERT ON subnet
    FOR EACH ROW EXECUTE FUNCTION network_lives();

-- A network made while its project is being deleted.
CREATE TRIGGER network_project_lives BEFORE INSERT ON network
    FOR EACH ROW WHEN (NEW.project_id IS NOT NULL)
    EXECUTE FUNCTION server_project_lives();

INSERT INTO quota_usage (project_id, resource, used)
SELECT project_id, 'networks', count(*) FROM network
WHERE project_id IS NOT NULL GROUP BY 1
UNION ALL
SELECT n.project_id, 'subnets', count(*) FROM subnet s JOIN network n ON n.id = s.network_id
WHERE n.project_id IS NOT NULL GROUP BY 1;
