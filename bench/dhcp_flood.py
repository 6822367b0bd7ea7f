"""What one guest's flood of questions costs the others.

    sudo .venv/bin/python -m bench.dhcp_flood [--rounds N]

Two guests of a node, set up by ``snf-network``; one asks by DHCP as fast as it can, and
the other's answers are timed. Beside that stand the answers when nobody floods, and when
the same process floods a device of its own, which keeps the machine as busy and the node
idle. Everything is in namespaces that are gone afterwards.
"""

import argparse
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from bench.results import Target, judge, percentile
from tests.nfdhcpd.flood import Flood
from tests.nfdhcpd.guest import message
from tests.node.inside import inside
from tests.node.lab import (
    ROOT,
    ROUTER4,
    SUBNET4,
    TABLE,
    Guest,
    Lab,
    NodeNamespace,
    require,
    run,
)

_QUESTIONS = 100
# The node lets 100 a second of each guest through.
_PAUSE_S = 0.015
_LOST_S = 1.0
_START_S = 20.0


def mac(number: int) -> str:
    """Return a guest's MAC address."""
    return f"aa:00:00:00:00:{number:02x}"


def guest(lab: Lab, node: NodeNamespace, number: int) -> Guest:
    """Return a new guest of the node's, which has its binding."""
    made = lab.guest(node, f"tap{number}", mac(number))
    node.up(
        {
            "MODE": "routed",
            "LINK": TABLE,
            "NETWORK_SUBNET": SUBNET4,
            "NETWORK_GATEWAY": ROUTER4,
            "NETWORK_TAGS": "ip-less-routed public nfdhcpd",
            "IP": f"198.18.1.{number}",
            "INTERFACE": made.tap,
            "INTERFACE_INDEX": "0",
            "INTERFACE_NAME": f"snf-nic-{number}",
            "INSTANCE": f"snf-{number}",
            "MAC": made.mac,
            "TAGS": "",
        }
    )
    return made


@contextmanager
def daemon(node: NodeNamespace) -> Iterator[None]:
    """Have nfdhcpd run on the node."""
    inside_node = ("ip", "netns", "exec", node.namespace)
    rule = "-A PREROUTING -i tap+ -p udp --dport 67 -j NFQUEUE --queue-num 42"
    run(*inside_node, "iptables", "-t", "mangle", *rule.split())
    config = node.directory / "nfdhcpd.toml"
    config.write_text(
        f'[process]\nuser = "root"\n[bindings]\ndirectory = "{node.directory}/bindings"\n'
    )
    log = node.directory / "twistd.log"
    argv = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()"]
    argv += ["--nodaemon", "--pidfile=", f"--logfile={log}", "nfdhcpd"]
    process = subprocess.Popen(
        [*inside_node, *argv, f"--config={config}"],
        cwd=node.directory,
        env={"PYTHONPATH": str(ROOT), "PATH": node.environment()["PATH"]},
    )
    try:
        end = time.monotonic() + _START_S
        while not log.exists() or log.read_text().count(") is snf-") < 2:
            if time.monotonic() > end or process.poll() is not None:
                raise SystemExit("nfdhcpd does not know its guests")
            time.sleep(0.02)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def asked(of: Guest) -> list[float]:
    """Return how long each answer of a guest takes, in ms; what is lost counts as 1 s."""
    frame = question(of)
    found = []
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800)) as raw:
        raw.bind((of.device, 0x0800))
        for _ in range(_QUESTIONS):
            time.sleep(_PAUSE_S)
            begun = time.perf_counter()
            raw.send(frame)
            found.append(_answered_ms(raw, begun))
    return found


def _answered_ms(raw: socket.socket, begun: float) -> float:
    while (left := begun + _LOST_S - time.perf_counter()) > 0:
        raw.settimeout(left)
        try:
            frame = raw.recv(2048)
        except TimeoutError:
            break
        if frame[34:38] == b"\0\x43\0\x44":
            return (time.perf_counter() - begun) * 1e3
    return _LOST_S * 1e3


def question(of: Guest) -> bytes:
    """Return a guest's DISCOVER as a frame."""
    source = bytes.fromhex(of.mac.replace(":", ""))
    return b"\xff" * 6 + source + b"\x08\0" + message("discover", chaddr=source)


def main() -> None:
    """Measure all three, in turns."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=8)
    options = parser.parse_args()
    require()
    lab = Lab()
    found: dict[str, list[float]] = {}
    try:
        lab.open()
        node = lab.node()
        flooder, other = (guest(lab, node, number) for number in (1, 2))
        run("ip", "-n", flooder.namespace, "link", "set", "lo", "up")
        place, frame = flooder.namespace, question(flooder)
        with daemon(node):
            for _ in range(options.rounds):
                for name, busy in (
                    ("idle", nullcontext()),
                    ("another device flooded", Flood(place, "lo", frame)),
                    ("flooded", Flood(place, flooder.device, frame)),
                ):
                    with busy:
                        answers = inside(other.namespace, asked, other)
                    found.setdefault(name, []).extend(answers)
    finally:
        lab.close()
    figures: dict[str, float] = {"answers of each": len(found["idle"])}
    for name, answers in found.items():
        for percent in (50, 99):
            figures[f"{name}, p{percent} ms"] = round(percentile(answers, percent), 2)
        figures[f"{name}, worst ms"] = round(max(answers), 1)
    judge("dhcp: beside a guest that floods", figures, Target("flooded, p99 ms", 20))


if __name__ == "__main__":
    main()
