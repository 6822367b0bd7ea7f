-- What else owners say of their servers; who did what to them; requests made once.

ALTER TABLE server
    ADD COLUMN description  text,
    ADD COLUMN hostname     text,                    -- NULL: made from the name
    ADD COLUMN locked_by    text CHECK (locked_by IN ('owner', 'admin')),
    ADD COLUMN lock_reason  text,
    ADD COLUMN pinned_zone  text,                    -- that the owner asked for
    ADD COLUMN reservation  text,                    -- what was asked for at once
    ADD COLUMN launch_index integer NOT NULL DEFAULT 0;  -- among those
CREATE INDEX server_of_reservation ON server (reservation);

CREATE TABLE server_tag (
    server_id bigint NOT NULL REFERENCES server ON DELETE CASCADE,
    tag       text NOT NULL,
    PRIMARY KEY (server_id, tag)
);
CREATE INDEX server_tagged ON server_tag (tag, server_id);

-- How an action goes is how its order goes; one without an order is done at once.
CREATE TABLE server_action (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    server_id  bigint NOT NULL REFERENCES server,
    request_id text NOT NULL,
    action     text NOT NULL,
    user_id    uuid NOT NULL,
    project_id uuid NOT NULL,
    order_id   uuid REFERENCES orders ON DELETE SET NULL,
    started    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (server_id, request_id)
);
CREATE INDEX server_action_of_server ON server_action (server_id, id);
CREATE INDEX server_action_of_order ON server_action (order_id);
CREATE INDEX server_action_started ON server_action (started);

-- Requests that the client may repeat, and how they were answered the first time.
CREATE TABLE idempotent_request (
    project_id uuid NOT NULL REFERENCES project ON DELETE CASCADE,
    key        text NOT NULL,
    digest     bytea NOT NULL,                       -- of what was asked for
    answer     jsonb,
    created    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, key)
);
CREATE INDEX idempotent_request_created ON idempotent_request (created);
