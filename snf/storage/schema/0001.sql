-- Users, what they own, what is to be done at Ganeti, and what Ganeti made of it.

CREATE TABLE project (
    id          uuid PRIMARY KEY,
    name        text NOT NULL UNIQUE CHECK (name <> ''),
    description text NOT NULL DEFAULT '',
    enabled     boolean NOT NULL DEFAULT true,
    created     timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE user_account (
    id              uuid PRIMARY KEY,
    name            text NOT NULL UNIQUE CHECK (name <> ''),
    password        text NOT NULL,          -- scrypt$..., see snf.core.passwords
    default_project uuid REFERENCES project,
    enabled         boolean NOT NULL DEFAULT true,
    created         timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE role_assignment (
    user_id    uuid NOT NULL REFERENCES user_account ON DELETE CASCADE,
    project_id uuid NOT NULL REFERENCES project ON DELETE CASCADE,
    role       text NOT NULL CHECK (role IN ('admin', 'member', 'reader')),
    PRIMARY KEY (user_id, project_id, role)
);

CREATE TABLE token (
    digest     bytea PRIMARY KEY,           -- of the token, which is kept nowhere
    audit_id   text NOT NULL,
    user_id    uuid NOT NULL REFERENCES user_account ON DELETE CASCADE,
    project_id uuid REFERENCES project ON DELETE CASCADE,
    methods    text[] NOT NULL,
    issued     timestamptz NOT NULL,
    expires    timestamptz NOT NULL
);
CREATE INDEX token_expires ON token (expires);

CREATE TABLE cluster (
    id               integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name             text NOT NULL UNIQUE,  -- as Ganeti calls itself
    url              text NOT NULL,         -- of its remote API
    username         text NOT NULL,
    password_file    text NOT NULL,
    tls              text NOT NULL DEFAULT 'verify'
                     CHECK (tls IN ('verify', 'pinned', 'off')),
    ca_file          text,
    disk_templates   text[] NOT NULL DEFAULT '{}',   -- empty: any
    mac_prefix       text NOT NULL DEFAULT 'aa:00:00',
    drained          boolean NOT NULL DEFAULT false, -- takes no new servers
    offline          boolean NOT NULL DEFAULT false, -- is not called at all
    last_job         bigint NOT NULL DEFAULT 0,      -- highest job id seen
    unreachable_since timestamptz,
    created          timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE flavor (
    id            uuid PRIMARY KEY,
    name          text NOT NULL,
    vcpus         integer NOT NULL CHECK (vcpus > 0),
    ram_mib       integer NOT NULL CHECK (ram_mib > 0),
    disk_gib      integer NOT NULL CHECK (disk_gib >= 0),
    disk_template text NOT NULL,
    public        boolean NOT NULL DEFAULT true,
    deleted       boolean NOT NULL DEFAULT false,
    created       timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX flavor_name ON flavor (name) WHERE NOT deleted;

CREATE TABLE image (
    id               uuid PRIMARY KEY,
    name             text NOT NULL,
    project_id       uuid REFERENCES project,
    status           text NOT NULL DEFAULT 'active',
    visibility       text NOT NULL DEFAULT 'public'
                     CHECK (visibility IN ('public', 'private', 'shared', 'community')),
    disk_format      text NOT NULL DEFAULT 'raw',
    container_format text NOT NULL DEFAULT 'bare',
    min_disk_gib     integer NOT NULL DEFAULT 0,
    min_ram_mib      integer NOT NULL DEFAULT 0,
    size_bytes       bigint NOT NULL DEFAULT 0,
    properties       jsonb NOT NULL DEFAULT '{}',
    os               text NOT NULL,         -- Ganeti's OS definition and variant
    os_parameters    jsonb NOT NULL DEFAULT '{}',
    hypervisor       text,                  -- NULL: the cluster's default
    created          timestamptz NOT NULL DEFAULT now(),
    updated          timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX image_order ON image (created DESC, id DESC);

CREATE TABLE network (
    id         uuid PRIMARY KEY,
    name       text NOT NULL,
    project_id uuid REFERENCES project,     -- NULL: the operator's
    mode       text NOT NULL,               -- Ganeti's NIC mode and link
    link       text NOT NULL,
    shared     boolean NOT NULL DEFAULT false,
    external   boolean NOT NULL DEFAULT false,
    is_default boolean NOT NULL DEFAULT false,  -- for servers that name no network
    created    timestamptz NOT NULL DEFAULT now(),
    updated    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE subnet (
    id         uuid PRIMARY KEY,
    network_id uuid NOT NULL REFERENCES network ON DELETE CASCADE,
    name       text NOT NULL DEFAULT '',
    cidr       cidr NOT NULL,
    gateway    inet,
    pool_start inet NOT NULL,
    pool_end   inet NOT NULL,
    dhcp       boolean NOT NULL DEFAULT true,
    dns        inet[] NOT NULL DEFAULT '{}',
    created    timestamptz NOT NULL DEFAULT now(),
    CHECK (pool_start << cidr AND pool_end << cidr AND pool_start <= pool_end)
);

CREATE TABLE server (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uuid           uuid NOT NULL UNIQUE,
    project_id     uuid NOT NULL REFERENCES project,
    user_id        uuid NOT NULL REFERENCES user_account,
    name           text NOT NULL,
    flavor_id      uuid NOT NULL REFERENCES flavor,
    image_id       uuid NOT NULL REFERENCES image,
    cluster_id     integer NOT NULL REFERENCES cluster,
    observed       text NOT NULL DEFAULT 'build',
    status         text NOT NULL DEFAULT 'BUILD',   -- follows from the others
    task           text,                            -- follows from the open orders
    progress       integer NOT NULL DEFAULT 0,
    fault          jsonb,
    deletion_asked boolean NOT NULL DEFAULT false,
    clock_time     double precision NOT NULL DEFAULT 0,
    clock_job      bigint NOT NULL DEFAULT 0,
    created        timestamptz NOT NULL DEFAULT now(),
    updated        timestamptz NOT NULL DEFAULT now(),
    launched       timestamptz,
    deleted        timestamptz
);
CREATE INDEX server_of_project ON server (project_id, created DESC, id DESC);
CREATE INDEX server_live ON server (created DESC, id DESC) WHERE deleted IS NULL;
CREATE INDEX server_deleted ON server (deleted) WHERE deleted IS NOT NULL;
CREATE INDEX server_on_cluster ON server (cluster_id) WHERE deleted IS NULL;

CREATE TABLE server_metadata (
    server_id bigint NOT NULL REFERENCES server ON DELETE CASCADE,
    key       text NOT NULL,
    value     text NOT NULL,
    PRIMARY KEY (server_id, key)
);

CREATE TABLE port (
    id         uuid PRIMARY KEY,
    network_id uuid NOT NULL REFERENCES network,
    project_id uuid NOT NULL REFERENCES project,
    server_id  bigint REFERENCES server,
    position   integer NOT NULL DEFAULT 0,          -- among its server's ports
    name       text NOT NULL DEFAULT '',
    mac        macaddr NOT NULL UNIQUE,
    state      text NOT NULL DEFAULT 'BUILD' CHECK (state IN ('BUILD', 'ACTIVE', 'DOWN')),
    created    timestamptz NOT NULL DEFAULT now(),
    updated    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX port_of_server ON port (server_id, position);
CREATE INDEX port_of_project ON port (project_id);
CREATE INDEX port_on_network ON port (network_id);

CREATE TABLE address (
    subnet_id uuid NOT NULL REFERENCES subnet,
    address   inet NOT NULL,
    port_id   uuid NOT NULL REFERENCES port ON DELETE CASCADE,
    PRIMARY KEY (subnet_id, address)
);
CREATE INDEX address_of_port ON address (port_id);

-- The outbox: written in the transaction of the request, drained by the submitter.
CREATE TABLE orders (
    id         uuid PRIMARY KEY,
    number     bigint GENERATED ALWAYS AS IDENTITY,  -- the order of orders
    server_id  bigint NOT NULL REFERENCES server,
    cluster_id integer NOT NULL REFERENCES cluster,
    kind       text NOT NULL,
    arguments  jsonb NOT NULL DEFAULT '{}',
    state      text NOT NULL DEFAULT 'new'
               CHECK (state IN ('new', 'submitting', 'submitted', 'done', 'failed')),
    job        bigint,
    job_floor  bigint,              -- jobs of this order have higher ids
    claimed_by integer,             -- the advisory lock of the submitter at work on it
    claimed    timestamptz,
    attempts   integer NOT NULL DEFAULT 0,
    not_before timestamptz NOT NULL DEFAULT now(),
    error      text,
    request_id text,
    created    timestamptz NOT NULL DEFAULT now(),
    ended      timestamptz
);
CREATE INDEX orders_open ON orders (cluster_id, number)
    WHERE state IN ('new', 'submitting', 'submitted');
CREATE INDEX orders_of_server ON orders (server_id, number);
CREATE INDEX orders_ended ON orders (ended) WHERE ended IS NOT NULL;
CREATE INDEX orders_job ON orders (cluster_id, job) WHERE state = 'submitted';

CREATE TABLE activity (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT now(),
    user_id    uuid,
    project_id uuid,
    action     text NOT NULL,
    object     uuid,
    outcome    text NOT NULL DEFAULT '',
    request_id text,
    address    text
);
CREATE INDEX activity_at ON activity (at);
CREATE INDEX activity_of_object ON activity (object);

CREATE FUNCTION orders_wake() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NOTIFY orders;
    RETURN NULL;
END $$;

CREATE TRIGGER orders_wake AFTER INSERT ON orders
    FOR EACH STATEMENT EXECUTE FUNCTION orders_wake();
