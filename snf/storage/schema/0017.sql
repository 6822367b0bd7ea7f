-- Images that users bring: their data, whom they are shared with, and what is under way.

-- What has been uploaded is found by its content; NULL: there is no data, or none yet.
ALTER TABLE image
    ALTER COLUMN os SET DEFAULT 'cyclades+default',
    ALTER COLUMN status SET DEFAULT 'queued',
    ALTER COLUMN visibility SET DEFAULT 'shared',
    ALTER COLUMN disk_format DROP NOT NULL,
    ALTER COLUMN disk_format DROP DEFAULT,
    ALTER COLUMN container_format DROP NOT NULL,
    ALTER COLUMN container_format DROP DEFAULT,
    ADD COLUMN sha256             text CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    ADD COLUMN hash_algo          text,
    ADD COLUMN hash_value         text,
    ADD COLUMN checksum           text,     -- MD5
    ADD COLUMN virtual_size_bytes bigint CHECK (virtual_size_bytes >= 0),
    ADD COLUMN protected          boolean NOT NULL DEFAULT false,
    ADD COLUMN hidden             boolean NOT NULL DEFAULT false,
    ADD COLUMN tags               text[] NOT NULL DEFAULT '{}',
    ADD COLUMN deleted            timestamptz;
CREATE INDEX image_data ON image (sha256) WHERE sha256 IS NOT NULL;
CREATE INDEX image_owner ON image (project_id, created DESC, id DESC)
    WHERE deleted IS NULL;

-- With whom an image is shared.  A project that another Keystone knows need not have
-- been seen here yet.
CREATE TABLE image_member (
    image_id   uuid NOT NULL REFERENCES image ON DELETE CASCADE,
    project_id uuid NOT NULL,
    status     text NOT NULL DEFAULT 'pending'
               CHECK (status IN ('pending', 'accepted', 'rejected')),
    created    timestamptz NOT NULL DEFAULT now(),
    updated    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (image_id, project_id)
);
CREATE INDEX image_member_project ON image_member (project_id);

-- How an image got its data, or has not: of each image one at most is under way.
CREATE TABLE image_upload (
    id             uuid PRIMARY KEY,
    image_id       uuid NOT NULL REFERENCES image ON DELETE CASCADE,
    kind           text NOT NULL CHECK (kind IN ('upload', 'stage', 'import')),
    method         text,                    -- of an import: glance-direct, web-download
    state          text NOT NULL DEFAULT 'running'
                   CHECK (state IN ('running', 'staged', 'success', 'failure')),
    user_id        uuid,
    request_id     text,
    message        text NOT NULL DEFAULT '',
    received_bytes bigint NOT NULL DEFAULT 0,
    total_bytes    bigint,                  -- NULL: nobody has said
    counted_bytes  bigint NOT NULL DEFAULT 0,   -- in the project's quota
    found          jsonb,                   -- of what is staged: what an image gets
    created        timestamptz NOT NULL DEFAULT now(),
    -- Moves while somebody works at it; who has died stops.
    updated        timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX image_upload_open ON image_upload (image_id)
    WHERE state IN ('running', 'staged');
CREATE INDEX image_upload_of_image ON image_upload (image_id, created);
