"""The rows of a new server, stored by plain SQL: what PostgreSQL itself can do.

``pgbench`` stores them, in C and with prepared statements, so that next to nothing but
PostgreSQL is at work: no token, no validation, no choice of anything.  All are of one
project, whose quota makes them queue up as it does the API's.
"""

import re
import subprocess

from bench.stack import Stack
from snf.allinone.process import clean_environment
from snf.testing import world

# What they have of the quota, as a small server with one port.
_QUOTA = ("cores", "disk_gib", "fixed_ips", "instances", "ports", "ram_mib")

# The servers are gone and their orders done, so that nobody else takes them for work.
_SCRIPT = f"""\
BEGIN;
INSERT INTO server (uuid, project_id, user_id, name, flavor_id, image_id, cluster_id,
    hostname, reservation, observed, status, deleted)
SELECT gen_random_uuid(), '{world.PROJECT_A.id}', '{world.ALICE.id}', 'plain',
    '{world.SMALL.id}', '{world.TINY.id}', c.id, 'plain', 'r-abcdefgh', 'gone',
    'DELETED', now() FROM cluster c RETURNING id AS server \\gset
INSERT INTO port (id, network_id, project_id, server_id, mac)
VALUES (gen_random_uuid(), '{world.NETWORK.id}', '{world.PROJECT_A.id}', :server,
    ('ae00' || lpad(to_hex(:server::bigint), 8, '0'))::macaddr)
RETURNING id AS port \\gset
INSERT INTO address (subnet_id, address, port_id)
SELECT id, '10.128.0.0'::inet + :server::bigint, :port::uuid FROM subnet;
INSERT INTO orders (id, server_id, cluster_id, kind, state, ended)
SELECT gen_random_uuid(), :server, c.id, 'create', 'done', now() FROM cluster c;
INSERT INTO server_action (server_id, request_id, action, user_id, project_id)
VALUES (:server, 'req-plain', 'create', '{world.ALICE.id}', '{world.PROJECT_A.id}');
INSERT INTO activity (user_id, project_id, action, object, outcome)
VALUES ('{world.ALICE.id}', '{world.PROJECT_A.id}', 'server create', :port::uuid, 'ok');
INSERT INTO quota_usage (project_id, resource, used)
SELECT '{world.PROJECT_A.id}', r, 1 FROM unnest('{{{",".join(_QUOTA)}}}'::text[]) r
ON CONFLICT (project_id, resource) DO UPDATE SET used = quota_usage.used + 1;
COMMIT;
"""


def rate(made: Stack, at_once: int, seconds: int) -> float:
    """
    Return how many servers a second are stored by so many at once.

    :raises SystemExit: One could not be stored.
    """
    script = made.layout / "plain.sql"
    script.write_text(_SCRIPT)
    program = str(made.postgres.programs / "pgbench")
    options = ["--no-vacuum", "--protocol=prepared", f"--client={at_once}"]
    done = subprocess.run(
        [program, *options, f"--time={seconds}", f"--file={script}", made.postgres.dsn],
        env=clean_environment(
            PGPASSWORD=made.postgres.password_file.read_text().strip()
        ),
        capture_output=True,
        text=True,
        timeout=seconds + 60,
        check=False,
    )
    found = re.search(r"^tps = ([0-9.]+)", done.stdout, re.MULTILINE)
    if found is None or done.returncode:
        raise SystemExit(f"pgbench: {done.stdout}{done.stderr}")
    return float(found[1])
