-- Who may open which console.

-- A token is good once; whoever has redeemed it keeps the row, with the digest of another
-- secret in place of the token's, and may open the same console again until it expires.
CREATE TABLE console_token (
    id         uuid PRIMARY KEY,
    digest     bytea NOT NULL UNIQUE,       -- of a secret that is kept nowhere
    kind       text NOT NULL CHECK (kind IN ('novnc', 'serial')),
    server_id  bigint NOT NULL REFERENCES server ON DELETE CASCADE,
    project_id uuid NOT NULL REFERENCES project ON DELETE CASCADE,
    user_id    uuid NOT NULL REFERENCES user_account ON DELETE CASCADE,
    created    timestamptz NOT NULL DEFAULT now(),
    redeemed   timestamptz,                 -- NULL: not yet
    expires    timestamptz NOT NULL
);
CREATE INDEX console_token_of_server ON console_token (server_id);
CREATE INDEX console_token_expires ON console_token (expires);

-- With the machine that it shows a console ends, whoever ends that.  A node that does not
-- answer ends nothing.
CREATE FUNCTION console_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM console_token WHERE server_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER console_ended AFTER UPDATE OF observed, suspended, deleted ON server
    FOR EACH ROW
    WHEN ((NEW.observed IN ('build', 'down', 'gone') AND OLD.observed <> NEW.observed)
          OR (NEW.suspended AND NOT OLD.suspended)
          OR (NEW.deleted IS NOT NULL AND OLD.deleted IS NULL))
    EXECUTE FUNCTION console_ended();
