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
