#!/usr/bin/python3
"""Ganeti hook: tells the cloud which network interfaces an instance has now.

Install it, executable, in /etc/ganeti/hooks/instance-{add,start,reboot,modify,stop,
remove}-post.d/ on every master candidate.  On the master it leaves one message in the
spool directory of snf-eventd, which publishes it; it never waits for anything, and
whatever goes wrong it succeeds, with a line to syslog and to standard error: an
instance does not have to suffer for the news of it.

Standard library only, Python 3.9 or later.
"""

import json
import os
import re
import socket
import sys
import time

SPOOL = "/var/spool/snf-eventd"
MOST_FILES = 10_000
PATHS = (
    "instance-add",
    "instance-start",
    "instance-reboot",
    "instance-modify",
    "instance-stop",
    "instance-remove",
)

# Key of a NIC in the message, and the end of its variable's name (Ganeti
# lib/cmdlib/instance_utils.py, BuildInstanceHookEnv).
NIC_KEYS = (
    ("name", "NAME"),
    ("uuid", "UUID"),
    ("mac", "MAC"),
    ("ip", "IP"),
    ("mode", "MODE"),
    ("link", "LINK"),
    ("network", "NETWORK_NAME"),
)


def main(env):
    """Leave a message if there is one to leave."""
    if env.get("GANETI_HOOKS_PHASE") != "post":
        return
    if env.get("GANETI_HOOKS_PATH") not in PATHS:
        return
    if not on_master(env.get("GANETI_MASTER", "")):
        return
    name = f"{time.time_ns()}-{os.getpid()}.json"
    body = json.dumps(message(env, time.time_ns() // 1000), separators=(",", ":"))
    leave(env.get("SNF_SPOOL_DIR", SPOOL), name, body.encode())


def on_master(master):
    """Return whether this is the node of that name."""
    # Hooks run on the instance's nodes too.  The host name alone is looked at first:
    # the qualified one may take a resolver.
    host = socket.gethostname()
    return bool(master) and (host == master or socket.getfqdn() == master)


def message(env, now_us):
    """Return what is to be told, as one of the cloud's ganeti-net-status messages."""
    return {
        "type": "ganeti-net-status",
        "instance": env["GANETI_INSTANCE_NAME"],
        "operation": env.get("GANETI_OP_CODE"),
        "nics": nics(env),
        "event_time": divmod(now_us, 1_000_000),
        "cluster": env.get("GANETI_CLUSTER"),
    }


def nics(env):
    """Return the network interfaces in their order, as they are after the operation."""
    if env["GANETI_HOOKS_PATH"] == "instance-remove":
        return []
    # The variables without POST are of the time before the operation.
    prefix = "GANETI_POST_INSTANCE_"
    if prefix + "NIC_COUNT" not in env:
        prefix = "GANETI_INSTANCE_"
    count = int(env.get(prefix + "NIC_COUNT", "0"))
    firewall = profiles(env.get(prefix + "TAGS", ""))
    return [nic(env, f"{prefix}NIC{index}_", index, firewall) for index in range(count)]


def nic(env, prefix, index, firewall):
    """Return one interface: what is not set is left out."""
    found = {}
    for key, end in NIC_KEYS:
        if env.get(prefix + end):
            found[key] = env[prefix + end]
    for word in (found.get("name"), found.get("uuid"), str(index)):
        if word in firewall:
            found["firewall"] = firewall[word]
            break
    return found


def profiles(tags):
    """Return the firewall profiles in an instance's tags, by NIC name, uuid or index.

    A tag is ``synnefo:network:<NIC>:<profile>``.
    """
    found = {}
    for tag in tags.split():
        match = re.match(r"synnefo:network:([^:]+):([^:]+)$", tag)
        if match:
            found[match.group(1)] = match.group(2)
    return found


def leave(directory, name, body):
    """Put a file into the directory at once, complete or not at all."""
    if len(os.listdir(directory)) >= MOST_FILES:
        raise OSError(f"{directory} is full: is snf-eventd running?")
    new = os.path.join(directory, f".{name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
        os.rename(new, os.path.join(directory, name))
    except OSError:
        os.unlink(new)
        raise


def complain(problem):
    """Say what went wrong, where somebody may look."""
    import syslog

    line = f"snf-ganeti-hook: nothing told: {type(problem).__name__}: {problem}"
    sys.stderr.write(line + "\n")
    syslog.syslog(syslog.LOG_WARNING, line)


if __name__ == "__main__":
    try:
        main(os.environ)
    except Exception as problem:
        complain(problem)
