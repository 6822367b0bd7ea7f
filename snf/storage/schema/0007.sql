-- Server groups: servers that are to be kept apart from each other, or together.

CREATE TABLE server_group (
    id         uuid PRIMARY KEY,
    project_id uuid NOT NULL REFERENCES project ON DELETE CASCADE,
    user_id    uuid NOT NULL,
    name       text NOT NULL,
    policy     text NOT NULL,               -- see snf.core.server_group
    per_node   integer CHECK (per_node > 0),
    created    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX server_group_of_project ON server_group (project_id, created, id);

-- A server is in one group at most, from its beginning on.  Those of one slot are on
-- different machines, where the group keeps its members apart.
CREATE TABLE server_group_member (
    server_id bigint PRIMARY KEY REFERENCES server ON DELETE CASCADE,
    group_id  uuid NOT NULL REFERENCES server_group ON DELETE CASCADE,
    slot      integer NOT NULL DEFAULT 0
);
CREATE INDEX server_group_members ON server_group_member (group_id);

-- What the making of a server's disk has told, for its owner to read.
CREATE TABLE server_diagnostic (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    server_id bigint NOT NULL REFERENCES server ON DELETE CASCADE,
    created   timestamptz NOT NULL DEFAULT now(),
    dated     timestamptz,                  -- by the node's clock
    level     text NOT NULL,                -- see snf.core.report
    source    text NOT NULL,
    message   text NOT NULL,
    details   jsonb NOT NULL
);
-- One that comes again is the same.
CREATE UNIQUE INDEX server_diagnostic_once ON server_diagnostic
    (server_id, source, dated, md5(message)) NULLS NOT DISTINCT;
