"""A real Keystone, of OpenStack, for tests: SQLite, no cache, one process."""

import atexit
import os
import socket
import subprocess
import time
from grp import getgrgid
from pathlib import Path
from pwd import getpwuid
from urllib.error import URLError
from urllib.request import urlopen

PASSWORD = "admin secret"

_CONFIGURATION = """
[database]
connection = sqlite:///{folder}/keystone.db
[fernet_tokens]
key_repository = {folder}/fernet
[credential]
key_repository = {folder}/credential
[identity]
password_hash_rounds = 4
[cache]
enabled = false
"""

# Keystone reads the arguments of whatever program it is in.
_SERVE = """
import sys
port = sys.argv.pop()
from keystone.wsgi.api import application
from waitress import serve
serve(application, listen=f"127.0.0.1:{port}")
"""


def start(virtualenv: Path, folder: Path) -> str:
    """
    Return the URL of version 3 of a new Keystone, which ends when Python does.

    :param virtualenv: Has the packages keystone and waitress.
    :param folder: Where all that it keeps is.
    """
    folder.mkdir(parents=True)
    configuration = folder / "keystone.conf"
    configuration.write_text(_CONFIGURATION.format(folder=folder))
    manage = [virtualenv / "bin" / "keystone-manage", "--config-file", configuration]
    owner = ["--keystone-user", getpwuid(os.getuid()).pw_name]
    owner += ["--keystone-group", getgrgid(os.getgid()).gr_name]
    with (folder / "log").open("wb") as log:
        for command in (
            ["db_sync"],
            ["fernet_setup", *owner],
            ["credential_setup", *owner],
            ["bootstrap", "--bootstrap-password", PASSWORD],
        ):
            subprocess.run(
                [*manage, *command], stdout=log, stderr=log, check=True, timeout=120
            )
        port = _free_port()
        process = subprocess.Popen(
            [virtualenv / "bin" / "python", "-c", _SERVE, str(port)],
            stdout=log,
            stderr=log,
            env=os.environ | {"OS_KEYSTONE_CONFIG_FILES": str(configuration)},
        )
    atexit.register(process.kill)
    url = f"http://127.0.0.1:{port}/v3"
    for _ in range(150):
        if process.poll() is not None:
            break
        try:
            with urlopen(url, timeout=30):
                return url
        except URLError:
            time.sleep(0.2)
    raise AssertionError(f"Keystone does not answer; see {folder}/log")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]
