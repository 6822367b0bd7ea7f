"""Servers made of one image, and images made of servers, on the real cluster.

Each image is one that no node has seen, for it has just been made of a server.  Beside
each: Ganeti's own time for the job that makes the server.
"""

import time
from pathlib import Path
from statistics import mean
from typing import Any

from bench.boot import Api, jobseconds, reference, running
from bench.results import keep, median
from snf.allinone.cloud import Cloud
from snf.allinone.images import NAME

_SERVERS = "/compute/v2.1/servers"
_IMAGES = "/image/v2/images"
_MANY = 10
_LONGEST_S = 600


def measure(state: Path, rounds: int) -> None:
    """Measure it."""
    cloud = running(state)
    user, admin = Api(cloud, "user"), Api(cloud, "admin")
    source = _boot(cloud, user, admin, reference(user, "images", NAME))[0]
    imaging, firsts, seconds, jobs = [], [], [], []
    image = ""
    for _ in range(rounds):
        if image:
            user.call("DELETE", f"{_IMAGES}/{image}")
        begun = time.perf_counter()
        image = _image(user, source)
        imaging.append(time.perf_counter() - begun)
        for times in (firsts, seconds):
            server, took, job = _boot(cloud, user, admin, image)
            times.append(took)
            jobs.append(job)
            _delete(user, server)
    whole, alone = _at_once(cloud, user, admin, image)
    _delete(user, source)
    user.call("DELETE", f"{_IMAGES}/{image}")
    keep(
        "images: on a real cluster",
        {
            "rounds": rounds,
            "createImage of a running server, median s": round(median(imaging), 2),
            "first server of an image, median s": round(median(firsts), 2),
            "second server of it, median s": round(median(seconds), 2),
            "Ganeti's own jobs for these, median s": round(median(jobs), 2),
            f"{_MANY} servers at once, until the last is ACTIVE, s": round(whole, 2),
            f"Ganeti's own jobs for these {_MANY}, mean s": round(alone, 2),
        },
    )


def _boot(cloud: Cloud, user: Api, admin: Api, image: str) -> tuple[str, float, float]:
    """Return a new server, and how long it and its job took."""
    begun = time.perf_counter()
    server = _ask(user, image)
    _until(user, server, "ACTIVE")
    took = time.perf_counter() - begun
    return server, took, jobseconds(cloud, _name(admin, server))


def _at_once(cloud: Cloud, user: Api, admin: Api, image: str) -> tuple[float, float]:
    begun = time.perf_counter()
    servers = [_ask(user, image) for _ in range(_MANY)]
    for server in servers:
        _until(user, server, "ACTIVE")
    whole = time.perf_counter() - begun
    jobs = [jobseconds(cloud, _name(admin, server)) for server in servers]
    for server in servers:
        _delete(user, server)
    return whole, mean(jobs)


def _ask(user: Api, image: str) -> str:
    body = {
        "name": "bench",
        "flavorRef": reference(user, "flavors", "m1.small"),
        "imageRef": image,
    }
    code, made = user.call("POST", _SERVERS, {"server": body})
    if code != 202:
        raise SystemExit(f"no server: {made}")
    return made["server"]["id"]


def _until(user: Api, server: str, status: str) -> None:
    deadline = time.monotonic() + _LONGEST_S
    while time.monotonic() < deadline:
        shown: Any = user.call("GET", f"{_SERVERS}/{server}")[1]["server"]
        if shown["status"] == "ERROR":
            raise SystemExit(f"the server failed: {shown.get('fault')}")
        if shown["status"] == status and shown["OS-EXT-STS:task_state"] is None:
            return
        time.sleep(0.05)
    raise SystemExit(f"the server does not become {status}")


def _image(user: Api, server: str) -> str:
    path = f"{_SERVERS}/{server}/action"
    user.call("POST", path, {"createImage": {"name": "bench"}})
    known = user.call("GET", f"{_IMAGES}?name=bench&sort=created_at:desc")[1]["images"]
    image = known[0]["id"]
    _until(user, server, "ACTIVE")
    code, shown = user.call("GET", f"{_IMAGES}/{image}")
    if code != 200 or shown["status"] != "active":
        raise SystemExit("the image failed")
    return image


def _name(admin: Api, server: str) -> str:
    shown = admin.call("GET", f"{_SERVERS}/{server}")[1]["server"]
    return shown["OS-EXT-SRV-ATTR:instance_name"]


def _delete(user: Api, server: str) -> None:
    user.call("DELETE", f"{_SERVERS}/{server}")
    while user.call("GET", f"{_SERVERS}/{server}")[0] == 200:
        time.sleep(0.1)
