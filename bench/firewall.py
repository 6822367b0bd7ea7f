"""From the answer to a change of the firewall until packets find it so.

    sudo ./cloud up
    sudo .venv/bin/python -m bench.firewall [--state DIR] [--rounds N]

A guest of the real cluster listens on a port of TCP, and this machine connects to it all
the time, by both families.  What is measured begins with the API's answer, and ends when
neither family, or both, get through.  Beside it stand Ganeti's own accounts: of the jobs
that carry the change out, and of one job that changes nothing, which is the least that
the hooks of an instance's node take to be run.
"""

import argparse
import json
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from attrs import frozen

from bench.boot import Api, reference, running, seconds
from bench.results import Target, judge, median
from snf.allinone.cloud import Cloud
from tests.live.cloud import connects, serial_here

_PORT = 80
_PROBE_S = 0.1
_MOST_S = 30.0
_V2 = "/network/v2.0"


@frozen
class Guest:
    """A server that runs; ``name`` is its instance's."""

    server: str
    name: str
    port: str
    addresses: tuple[str, ...]


def booted(cloud: Cloud, user: Api, admin: Api) -> Guest:
    """Return a new server whose guest runs."""
    body = {
        "name": "bench",
        "flavorRef": reference(user, "flavors", "m1.small"),
        "imageRef": reference(user, "images", "tiny"),
    }
    _, made = user.call("POST", "/compute/v2.1/servers", {"server": body})
    server = made["server"]["id"]
    path = f"/compute/v2.1/servers/{server}"
    while user.call("GET", path)[1]["server"]["status"] != "ACTIVE":
        time.sleep(0.1)
    shown = admin.call("GET", path)[1]["server"]
    name = shown["OS-EXT-SRV-ATTR:instance_name"]
    serial_here(cloud, name, "READY")
    [port] = user.call("GET", f"{_V2}/ports?device_id={server}")[1]["ports"]
    [addresses] = shown["addresses"].values()
    return Guest(server, name, port["id"], tuple(one["addr"] for one in addresses))


def until(target: Guest, opened: bool) -> float:
    """Return the seconds until all of a guest's addresses are open, or none is."""
    begun = time.perf_counter()
    while True:
        tried = time.perf_counter()
        if tried - begun > _MOST_S:
            raise SystemExit(f"not within {_MOST_S} s: a change of the firewall")
        found = [connects(one, _PORT, _PROBE_S) for one in target.addresses]
        if found == [opened] * len(found):
            # What is closed is found out late: it was so when that was tried.
            return (time.perf_counter() if opened else tried) - begun
        time.sleep(0.01)


def jobs(cloud: Cloud, name: str) -> dict[int, Any]:
    """Return the jobs of an instance, by their ids."""
    found = {}
    for path in (cloud.ganeti.master.data / "queue").glob("job-*"):
        job = json.loads(path.read_text("utf-8"))
        given = job["ops"][0]["input"]
        if name in (given.get("instance_name"), given.get("name")):
            found[int(job["id"])] = job
    return found


def ended(cloud: Cloud, name: str, known: Collection[int]) -> float:
    """Return the seconds that the jobs since took, once all have ended."""
    while True:
        made = [job for number, job in jobs(cloud, name).items() if number not in known]
        if made and all(job["end_timestamp"] for job in made):
            # What follows from their ends must not be in the way of the next round.
            time.sleep(1)
            begun = min(seconds(job["received_timestamp"]) for job in made)
            return max(seconds(job["end_timestamp"]) for job in made) - begun
        time.sleep(0.05)


@frozen
class Bench:
    """A guest whose firewall is changed, and by whom."""

    cloud: Cloud
    user: Api
    guest: Guest

    def measure(self, change: Callable[[], None], opened: bool) -> tuple[float, float]:
        """Return the seconds until a change is seen, and those of its jobs."""
        known = jobs(self.cloud, self.guest.name)
        change()
        effect = until(self.guest, opened)
        return effect, ended(self.cloud, self.guest.name, known)

    def profile(self, word: str) -> None:
        """Ask for a profile."""
        action = {"firewallProfile": {"profile": word, "nic": self.guest.port}}
        path = f"/compute/v2.1/servers/{self.guest.server}/action"
        expect(202, self.user.call("POST", path, action))

    def new_group(self) -> str:
        """Return the id of a new group, which lets in what the guest listens for."""
        body: dict[str, Any] = {"security_group": {"name": "bench"}}
        made = expect(201, self.user.call("POST", f"{_V2}/security-groups", body))
        group = str(made["security_group"]["id"])
        rules = [
            {
                "security_group_id": group,
                "direction": "ingress",
                "ethertype": family,
                "protocol": "tcp",
                "port_range_min": _PORT,
                "port_range_max": _PORT,
            }
            for family in ("IPv4", "IPv6")
        ]
        body = {"security_group_rules": rules}
        expect(201, self.user.call("POST", f"{_V2}/security-group-rules", body))
        return group

    def groups(self, *groups: str) -> None:
        """Put the guest into groups, and into no others."""
        port = {"port": {"security_groups": groups}}
        path = f"{_V2}/ports/{self.guest.port}"
        expect(200, self.user.call("PUT", path, port))

    def nothing(self) -> float:
        """Return the seconds of a job that changes nothing of the instance."""
        known = jobs(self.cloud, self.guest.name)
        words = ("modify", "-B", "auto_balance=true", self.guest.name)
        run = self.cloud.ganeti.master.namespace.run
        run("gnt-instance", ["gnt-instance", *words])
        return ended(self.cloud, self.guest.name, known)


def expect(code: int, answer: tuple[int, Any]) -> Any:
    """Return what was answered, which has this status."""
    if answer[0] != code:
        raise SystemExit(f"{answer[0]} instead of {code}: {answer[1]}")
    return answer[1]


def rounds(
    bench: Bench, group: str, times: int
) -> dict[str, list[tuple[float, float]]]:
    """Return the seconds of each way, round by round."""
    figures: dict[str, list[tuple[float, float]]] = {}

    def measured(way: str, change: Callable[[], None], opened: bool) -> None:
        figures.setdefault(way, []).append(bench.measure(change, opened))

    for _ in range(times):
        measured("closed by a profile", lambda: bench.profile("ENABLED"), False)
        measured("opened by a profile", lambda: bench.profile("DISABLED"), True)
        measured("closed by no group", bench.groups, False)
        measured("opened by a group", lambda: bench.groups(group), True)
        nothing = bench.nothing()
        figures.setdefault("nothing", []).append((nothing, nothing))
    return figures


def delete(user: Api, server: str) -> None:
    """Delete a server, and return when it is gone."""
    path = f"/compute/v2.1/servers/{server}"
    user.call("DELETE", path)
    while user.call("GET", path)[0] == 200:
        time.sleep(0.2)


def main() -> None:
    """Measure profiles, and rules of groups."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--state", type=Path, default=Path("/var/lib/cyclades-allinone")
    )
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    cloud = running(options.state)
    user, admin = Api(cloud, "user"), Api(cloud, "admin")
    guest = booted(cloud, user, admin)
    typed = f"httpd -p {_PORT} -h /; echo LISTEN''ING\n"
    serial_here(cloud, guest.name, "LISTENING", typed=typed)
    bench = Bench(cloud, user, guest)
    group = bench.new_group()
    try:
        found = rounds(bench, group, options.rounds)
    finally:
        delete(user, guest.server)
        expect(204, user.call("DELETE", f"{_V2}/security-groups/{group}"))
    nothing = found.pop("nothing")
    figures: dict[str, object] = {"rounds": options.rounds}
    for way, seen in found.items():
        effects = [effect for effect, _ in seen]
        figures[f"{way}, median s"] = round(median(effects), 2)
        figures[f"{way}, worst s"] = round(max(effects), 2)
        figures[f"{way}, Ganeti's jobs, median s"] = round(
            median([job for _, job in seen]), 2
        )
    figures["a job that changes nothing, median s"] = round(
        median([job for _, job in nothing]), 2
    )
    targets = [Target(f"{way}, median s", 2) for way in found]
    judge("firewall: from the API's answer to its packets", figures, *targets)


if __name__ == "__main__":
    main()
