-- What guests are told of their owners: key pairs, user data, passwords, files.

-- Of a user, whatever the project.
CREATE TABLE keypair (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id     uuid NOT NULL REFERENCES user_account ON DELETE CASCADE,
    name        text NOT NULL,
    type        text NOT NULL CHECK (type IN ('ssh', 'x509')),
    public_key  text NOT NULL,
    fingerprint text NOT NULL,
    created     timestamptz NOT NULL DEFAULT now(),
    UNIQUE (user_id, name)
);

-- A key pair may be deleted; its name stays with the servers that were made with it.
ALTER TABLE server
    ADD COLUMN key_name     text,
    ADD COLUMN config_drive boolean NOT NULL DEFAULT false;

-- What a guest is told as long as there is its server.  Sealed with a key that is in no
-- database: user data holds passwords often enough.
CREATE TABLE guest (
    server_id bigint PRIMARY KEY REFERENCES server ON DELETE CASCADE,
    keys      jsonb NOT NULL DEFAULT '[]',  -- as they were when the server was made
    user_data bytea,                        -- sealed; NULL: none
    password  text NOT NULL DEFAULT ''      -- as the guest has encrypted it for its owner
);

-- What a guest is told once, sealed too: its password and files.
CREATE TABLE guest_secret (
    order_id uuid PRIMARY KEY REFERENCES orders ON DELETE CASCADE,
    sealed   bytea NOT NULL
);

-- Neither stays for longer than it is needed, whoever ends it.
CREATE FUNCTION guest_told() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM guest_secret WHERE order_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER guest_told AFTER UPDATE OF state ON orders FOR EACH ROW
    WHEN (NEW.kind IN ('create', 'rebuild') AND NEW.state IN ('done', 'failed'))
    EXECUTE FUNCTION guest_told();

CREATE FUNCTION guest_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM guest WHERE server_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER guest_gone AFTER UPDATE OF deleted ON server FOR EACH ROW
    WHEN (NEW.deleted IS NOT NULL AND OLD.deleted IS NULL)
    EXECUTE FUNCTION guest_gone();
