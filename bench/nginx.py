"""nginx as a process of our own: takes files by PUT, and sends them again."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CONFIGURATION = """\
daemon off;
master_process off;
pid {home}/pid;
error_log stderr crit;
events {{ worker_connections 64; }}
http {{
    access_log off;
    sendfile on;
    client_max_body_size 0;
    client_body_temp_path {home}/temp;
    proxy_temp_path {home}/temp;
    fastcgi_temp_path {home}/temp;
    uwsgi_temp_path {home}/temp;
    scgi_temp_path {home}/temp;
    server {{
        listen 127.0.0.1:{port};
        root {home}/files;
        dav_methods PUT;
    }}
}}
"""


def missing() -> str | None:
    """Return what is missing for it; None if nothing is."""
    if shutil.which("nginx") is None:
        return "nginx is not installed: apt-get install nginx-light"
    return None


@contextmanager
def serving(home: Path) -> Iterator[int]:
    """Have it run, with its files below a directory; the value is its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for name in ("files", "temp"):
        (home / name).mkdir(parents=True)
    configuration = home / "nginx.conf"
    configuration.write_text(_CONFIGURATION.format(home=home, port=port))
    # Not as nobody, who may not look into the directory.
    whole = ["nginx", "-c", str(configuration), "-p", str(home), "-g", "user root;"]
    process = subprocess.Popen(whole, env={**os.environ}, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"nginx does not start: {' '.join(whole)}")
            time.sleep(0.05)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0
