-- Security groups and firewall profiles: what is let in to which port.

CREATE TABLE security_group (
    id          uuid PRIMARY KEY,
    project_id  uuid NOT NULL REFERENCES project ON DELETE CASCADE,
    name        text NOT NULL,
    description text NOT NULL DEFAULT '',
    is_default  boolean NOT NULL DEFAULT false,
    tags        text[] NOT NULL DEFAULT '{}',
    revision    bigint NOT NULL DEFAULT 0,
    created     timestamptz NOT NULL DEFAULT now(),
    updated     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX security_group_of_project ON security_group (project_id, id);
CREATE UNIQUE INDEX security_group_default ON security_group (project_id)
    WHERE is_default;

CREATE TABLE security_group_rule (
    id          uuid PRIMARY KEY,
    group_id    uuid NOT NULL REFERENCES security_group ON DELETE CASCADE,
    direction   text NOT NULL CHECK (direction IN ('ingress', 'egress')),
    family      smallint NOT NULL CHECK (family IN (4, 6)),
    protocol    text,                       -- as its owner calls it; NULL: any
    number      smallint,                   -- the same, as packets have it
    first       integer,                    -- port, or ICMP type
    last        integer,                    -- port, or ICMP code
    remote      cidr,                       -- NULL: from anywhere
    description text,
    created     timestamptz NOT NULL DEFAULT now()
);
-- The same rule twice would be one.
CREATE UNIQUE INDEX security_group_rule_once ON security_group_rule
    (group_id, direction, family, number, first, last, remote) NULLS NOT DISTINCT;

-- The groups of the ports for which somebody has chosen them; a group that has ports
-- stays.
CREATE TABLE port_security_group (
    port_id  uuid NOT NULL REFERENCES port ON DELETE CASCADE,
    group_id uuid NOT NULL REFERENCES security_group,
    PRIMARY KEY (port_id, group_id)
);
CREATE INDEX port_of_security_group ON port_security_group (group_id);

-- Whether somebody has; all other ports are in their project's default group.
ALTER TABLE port ADD COLUMN grouped boolean NOT NULL DEFAULT false;
-- The word of a firewall profile, which then holds instead of the groups.
ALTER TABLE port ADD COLUMN profile text;

CREATE VIEW port_group AS
    SELECT port_id, group_id FROM port_security_group
    UNION ALL
    SELECT p.id, d.id FROM port p
    JOIN security_group d ON d.project_id = p.project_id AND d.is_default
    WHERE NOT p.grouped;
