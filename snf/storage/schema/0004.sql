-- What a project may have and has; what clusters have room for; flavors of one's own.

-- What an operator has set; where there is no row the configuration's default holds.
CREATE TABLE quota_limit (
    project_id uuid NOT NULL REFERENCES project ON DELETE CASCADE,
    resource   text NOT NULL,               -- see snf.core.quota
    most       bigint NOT NULL CHECK (most >= -1),  -- -1: as many as wanted
    PRIMARY KEY (project_id, resource)
);

-- Kept by the transactions that make servers and that see them gone.  No CHECK that it
-- is not negative: a wrong count must not keep a server from being deleted, and
-- "snf-manage quota recount" puts it right.
CREATE TABLE quota_usage (
    project_id uuid NOT NULL REFERENCES project ON DELETE CASCADE,
    resource   text NOT NULL,
    used       bigint NOT NULL,
    PRIMARY KEY (project_id, resource)
) WITH (fillfactor = 50);                   -- so that updates stay on their page

INSERT INTO quota_usage (project_id, resource, used)
SELECT s.project_id, held.resource, sum(held.amount)
FROM server s JOIN flavor f ON f.id = s.flavor_id
CROSS JOIN LATERAL (VALUES ('instances', 1), ('cores', f.vcpus),
    ('ram_mib', f.ram_mib), ('disk_gib', f.disk_gib)) held (resource, amount)
WHERE s.deleted IS NULL GROUP BY 1, 2
UNION ALL
SELECT p.project_id, 'ports', count(*) FROM port p GROUP BY 1
UNION ALL
SELECT p.project_id, 'fixed_ips', count(*)
FROM address a JOIN port p ON p.id = a.port_id GROUP BY 1;

-- The sums over a cluster's nodes that may have instances, as Ganeti last told them.
CREATE TABLE cluster_capacity (
    cluster_id     integer PRIMARY KEY REFERENCES cluster ON DELETE CASCADE,
    measured       timestamptz NOT NULL,
    nodes          integer NOT NULL,
    cpus           integer NOT NULL,
    ram_total_mib  bigint NOT NULL,
    ram_free_mib   bigint NOT NULL,
    disk_total_mib bigint NOT NULL,
    disk_free_mib  bigint NOT NULL,
    instances      integer NOT NULL
);

-- Those that are not in what was measured.
CREATE INDEX server_new_on_cluster ON server (cluster_id, created)
    WHERE deleted IS NULL;

-- A cluster that is named here takes new servers of these projects only, and they have
-- theirs on no other.
CREATE TABLE cluster_project (
    cluster_id integer NOT NULL REFERENCES cluster ON DELETE CASCADE,
    project_id uuid NOT NULL REFERENCES project ON DELETE CASCADE,
    PRIMARY KEY (cluster_id, project_id)
);
CREATE INDEX cluster_of_project ON cluster_project (project_id);

ALTER TABLE flavor ADD COLUMN description text;

-- Who may use a flavor that is not public.
CREATE TABLE flavor_access (
    flavor_id  uuid NOT NULL REFERENCES flavor ON DELETE CASCADE,
    project_id uuid NOT NULL REFERENCES project ON DELETE CASCADE,
    PRIMARY KEY (flavor_id, project_id)
);
CREATE INDEX flavor_of_project ON flavor_access (project_id);

CREATE TABLE flavor_extra_spec (
    flavor_id uuid NOT NULL REFERENCES flavor ON DELETE CASCADE,
    key       text NOT NULL,
    value     text NOT NULL,
    PRIMARY KEY (flavor_id, key)
);

-- For accounts of what a project has used.
CREATE INDEX server_launched ON server (project_id, launched)
    WHERE launched IS NOT NULL;
