"""From POST to ACTIVE on the real cluster, beside the time of Ganeti's own job.

    sudo ./cloud up
    sudo .venv/bin/python -m bench.boot [--state DIR] [--rounds N]

The overhead is all that is not Ganeti's: from the POST until the job is in Ganeti's
queue, and from the job's end until the API says ACTIVE (seen by asking every 20 ms).
Ganeti's time is its own account of the job: from received to ended.
"""

import argparse
import http.client
import json
import time
from pathlib import Path
from typing import Any

from bench.results import keep, median
from snf.allinone.cloud import Cloud
from snf.allinone.credentials import PEOPLE, password_of
from snf.allinone.layout import Layout
from snf.allinone.progress import Progress


class Api:
    """The API, as a user of the cloud calls it."""

    def __init__(self, cloud: Cloud, who: str) -> None:
        self.port = cloud.instance.api_port
        person = PEOPLE[who]
        user = {
            "name": person.name,
            "domain": {"id": "default"},
            "password": password_of(cloud.layout, person),
        }
        identity = {"methods": ["password"], "password": {"user": user}}
        self.headers = {"Content-Type": "application/json"}
        _, headers, _ = self._send(
            "POST", "/identity/v3/auth/tokens", {"auth": {"identity": identity}}
        )
        self.headers["X-Auth-Token"] = headers["X-Subject-Token"]

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Return the status and the JSON of an answer."""
        code, _, content = self._send(method, path, body)
        return code, json.loads(content) if content else None

    def _send(self, method: str, path: str, body: Any) -> tuple[int, Any, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            data = None if body is None else json.dumps(body)
            connection.request(method, path, data, self.headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()


def running(state: Path) -> Cloud:
    """Return the cloud of a state directory."""
    layout = Layout(state)
    instance = layout.load()
    if instance is None:
        raise SystemExit(f"{state} holds no cloud: sudo ./cloud up")
    return Cloud(layout, instance, Progress())


def reference(api: Api, kind: str, name: str) -> str:
    """Return the id of a flavor or an image by its name."""
    _, found = api.call("GET", f"/compute/v2.1/{kind}")
    return next(one["id"] for one in found[kind] if one["name"] == name)


def boot(cloud: Cloud, user: Api, admin: Api, image: str) -> tuple[float, float]:
    """Return the seconds from POST to ACTIVE, and those of Ganeti's job."""
    body = {
        "name": "bench",
        "flavorRef": reference(user, "flavors", "m1.tiny"),
        "imageRef": reference(user, "images", image),
    }
    started = time.perf_counter()
    _, made = user.call("POST", "/compute/v2.1/servers", {"server": body})
    path = f"/compute/v2.1/servers/{made['server']['id']}"
    while user.call("GET", path)[1]["server"]["status"] != "ACTIVE":
        time.sleep(0.02)
    whole = time.perf_counter() - started
    _, shown = admin.call("GET", path)
    name = shown["server"]["OS-EXT-SRV-ATTR:instance_name"]
    user.call("DELETE", path)
    job = jobseconds(cloud, name)
    while user.call("GET", path)[0] == 200:
        time.sleep(0.2)
    return whole, job


def jobseconds(cloud: Cloud, name: str) -> float:
    """Return how long the job that made an instance took, by Ganeti's own account."""
    for path in (cloud.ganeti.master.data / "queue").glob("job-*"):
        job = json.loads(path.read_text("utf-8"))
        given = job["ops"][0]["input"]
        created = given["OP_ID"] == "OP_INSTANCE_CREATE"
        if created and given["instance_name"] == name:
            return seconds(job["end_timestamp"]) - seconds(job["received_timestamp"])
    raise LookupError(f"no job has made {name}")


def seconds(stamp: tuple[int, int]) -> float:
    """Return a time as Ganeti writes it, in seconds since the epoch."""
    return stamp[0] + stamp[1] / 1e6


def main() -> None:
    """Measure both hypervisors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--state", type=Path, default=Path("/var/lib/cyclades-allinone")
    )
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    cloud = running(options.state)
    user, admin = Api(cloud, "user"), Api(cloud, "admin")
    for hypervisor, image in (("fake", "tiny-fake"), ("kvm", "tiny")):
        rounds = [boot(cloud, user, admin, image) for _ in range(options.rounds)]
        overheads = [whole - job for whole, job in rounds]
        keep(
            f"boot: POST to ACTIVE, {hypervisor} hypervisor",
            {
                "rounds": options.rounds,
                "POST to ACTIVE, median s": round(
                    median([one for one, _ in rounds]), 2
                ),
                "Ganeti's own job, median s": round(
                    median([job for _, job in rounds]), 2
                ),
                "our overhead, median s": round(median(overheads), 3),
                "our overhead, worst s": round(max(overheads), 3),
                "target for the overhead, s": 0.3,
            },
        )


if __name__ == "__main__":
    main()
