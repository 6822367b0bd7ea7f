-- Domains, groups, application credentials; projects and users that can be deleted
-- although what they once owned is remembered.

CREATE TABLE domain (
    id          text PRIMARY KEY,
    name        text NOT NULL CHECK (name <> ''),
    description text NOT NULL DEFAULT '',
    enabled     boolean NOT NULL DEFAULT true,
    created     timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX domain_name ON domain (lower(name));
INSERT INTO domain (id, name) VALUES ('default', 'Default');

-- A deleted one stays as a row, for the audit and for servers that refer to it; its
-- name is free again.
ALTER TABLE project
    ADD COLUMN domain_id text NOT NULL DEFAULT 'default' REFERENCES domain,
    ADD COLUMN deleted timestamptz,
    DROP CONSTRAINT project_name_key;
CREATE UNIQUE INDEX project_name ON project (domain_id, name) WHERE deleted IS NULL;

ALTER TABLE user_account
    ADD COLUMN domain_id text NOT NULL DEFAULT 'default' REFERENCES domain,
    ADD COLUMN description text NOT NULL DEFAULT '',
    ADD COLUMN email text,
    ADD COLUMN deleted timestamptz,
    DROP CONSTRAINT user_account_name_key;
CREATE UNIQUE INDEX user_name ON user_account (domain_id, name) WHERE deleted IS NULL;

CREATE INDEX role_assignment_of_project ON role_assignment (project_id);

CREATE TABLE user_group (
    id          uuid PRIMARY KEY,
    domain_id   text NOT NULL DEFAULT 'default' REFERENCES domain,
    name        text NOT NULL CHECK (name <> ''),
    description text NOT NULL DEFAULT '',
    created     timestamptz NOT NULL DEFAULT now(),
    UNIQUE (domain_id, name)
);

CREATE TABLE group_member (
    user_id  uuid NOT NULL REFERENCES user_account ON DELETE CASCADE,
    group_id uuid NOT NULL REFERENCES user_group ON DELETE CASCADE,
    PRIMARY KEY (user_id, group_id)
);
CREATE INDEX group_member_of ON group_member (group_id);

CREATE TABLE group_role (
    group_id   uuid NOT NULL REFERENCES user_group ON DELETE CASCADE,
    project_id uuid NOT NULL REFERENCES project ON DELETE CASCADE,
    role       text NOT NULL CHECK (role IN ('admin', 'member', 'reader')),
    PRIMARY KEY (group_id, project_id, role)
);
CREATE INDEX group_role_of_project ON group_role (project_id);

-- What users may do where, whether by themselves or by a group.
CREATE VIEW effective_role AS
    SELECT user_id, project_id, role FROM role_assignment
    UNION ALL
    SELECT m.user_id, g.project_id, g.role
    FROM group_member m JOIN group_role g ON g.group_id = m.group_id;

CREATE TABLE application_credential (
    id           uuid PRIMARY KEY,
    user_id      uuid NOT NULL REFERENCES user_account ON DELETE CASCADE,
    project_id   uuid NOT NULL REFERENCES project ON DELETE CASCADE,
    name         text NOT NULL CHECK (name <> ''),
    description  text NOT NULL DEFAULT '',
    secret       text NOT NULL,     -- sha256$... or scrypt$..., see snf.core.passwords
    roles        text[] NOT NULL,
    unrestricted boolean NOT NULL DEFAULT false,
    expires      timestamptz,
    created      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (user_id, name)
);

ALTER TABLE token
    ADD COLUMN credential_id uuid REFERENCES application_credential ON DELETE CASCADE;
CREATE INDEX token_of_user ON token (user_id, project_id);
CREATE INDEX token_of_project ON token (project_id);
CREATE INDEX token_of_credential ON token (credential_id)
    WHERE credential_id IS NOT NULL;

-- A server asked for while its project is being deleted: the request begins anew, and
-- finds that its token has ended.
CREATE FUNCTION server_project_lives() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM project WHERE id = NEW.project_id AND deleted IS NULL FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the project is being deleted'
            USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER server_project_lives BEFORE INSERT ON server
    FOR EACH ROW EXECUTE FUNCTION server_project_lives();
