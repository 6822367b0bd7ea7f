"""How long a guest is not reached while it is migrated live.

    sudo ./cloud up --nodes 2
    sudo .venv/bin/python -m bench.migration [--state DIR] [--rounds N]

It is pinged 20 times a second, by both families, and the longest silence of either
counts.  Beside it stands the same without the hook ``instance-migrate-pre``: then Ganeti
has the new node take the guest over when it is done.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.boot import Api, running
from bench.firewall import Guest, booted, delete
from bench.results import Target, judge, median
from snf.allinone.cloud import Cloud
from tests.live.pinging import Pinging
from tests.node.inside import answers


def silence(cloud: Cloud, guest: Guest) -> float:
    """Migrate a guest; return the longest time in seconds without an answer."""
    for address in guest.addresses:
        while not answers(address, 0.5):
            pass
    pinging = [Pinging(address) for address in guest.addresses]
    try:
        migrate = ["gnt-instance", "migrate", "-f", guest.name]
        cloud.ganeti.master.namespace.run("a migration", migrate, 120)
    finally:
        silences = [one.ended() for one in pinging]
    return max(silences)


@contextmanager
def without_hook(cloud: Cloud) -> Iterator[None]:
    """Have no hook of ours before migrations."""
    # The first node's hooks are those of all.
    home = cloud.ganeti.machines[0].home
    hook = home / "etc" / "hooks" / "instance-migrate-pre.d" / "60-snf-network"
    aside = hook.with_name("60.aside")
    hook.rename(aside)  # a name with a dot is not run
    try:
        yield
    finally:
        aside.rename(hook)


def main() -> None:
    """Measure with the hook and without it, in turn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--state", type=Path, default=Path("/var/lib/cyclades-allinone")
    )
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    cloud = running(options.state)
    if len(cloud.ganeti.machines) < 2:
        raise SystemExit(f"{options.state} has one node: sudo ./cloud up --nodes 2")
    user = Api(cloud, "user")
    guest = booted(cloud, user, Api(cloud, "admin"))
    ours, alone = [], []
    try:
        for _ in range(options.rounds):
            ours.append(silence(cloud, guest))
            with without_hook(cloud):
                alone.append(silence(cloud, guest))
    finally:
        delete(user, guest.server)
    figures = {
        "rounds": options.rounds,
        "longest silence, median s": round(median(ours), 2),
        "longest silence, worst s": round(max(ours), 2),
        "without the hook, median s": round(median(alone), 2),
        "without the hook, worst s": round(max(alone), 2),
    }
    judge(
        "migration: a guest under ping", figures, Target("longest silence, worst s", 2)
    )


if __name__ == "__main__":
    main()
