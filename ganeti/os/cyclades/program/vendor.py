"""What cloud-init is told beside the user data, which stays as the user gave it.

That is vendor data: the password, hashed, and a script that puts the server's files in
place.  Not ``write_files``: a list of that name in somebody's user data would take the
place of ours.  For what the user data says of passwords that is just right.
"""

import base64
import ctypes
import secrets
import shlex
import textwrap

from failure import Failed
from yamlish import dumps

_SCRIPT = """\
#!/bin/sh
# Puts the files in place that the server was made with.
put() {
    mkdir -p "$(dirname "$1")" || return
    (umask 077; base64 -d >"$1.snf-new") || return
    chown "$2:$3" "$1.snf-new" || echo "$1: stays root's" >&2
    chmod "$4" "$1.snf-new" && mv -f "$1.snf-new" "$1" || return
    ! command -v restorecon >/dev/null || restorecon "$1"
}
"""

_SALT = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def data(guest):
    """
    Return the vendor data, "" if there is nothing to be told.

    :raises Failed: This node cannot hash the password.
    """
    if guest.is_windows:
        return ""
    parts = []
    if guest.admin_pass:
        config = f"#cloud-config\n{dumps(_passwords(guest))}\n"
        parts.append({"type": "text/cloud-config", "content": config})
    if guest.files:
        parts.append({"type": "text/x-shellscript", "content": _script(guest.files)})
    return f"#cloud-config-archive\n{dumps(parts)}\n" if parts else ""


def _passwords(guest):
    """Return the configuration that sets the password, without its being outdated."""
    password = hashed(guest.admin_pass)
    users = guest.properties.get("users", "").split()
    if not users:
        # That of the user whom the image has for this: debian, ubuntu ...
        return {"password": password, "chpasswd": {"expire": False}}
    named = [{"name": user, "password": password, "type": "hash"} for user in users]
    return {"chpasswd": {"expire": False, "users": named}}


def hashed(password):
    """
    Return what ``/etc/shadow`` holds of a password (crypt(5), sha512crypt).

    :raises Failed: The C library's ``libcrypt`` is not there, or refuses.
    """
    try:
        crypt = ctypes.CDLL("libcrypt.so.1").crypt
    except OSError as problem:
        raise Failed(f"the password cannot be hashed: {problem}") from None
    crypt.argtypes, crypt.restype = (ctypes.c_char_p, ctypes.c_char_p), ctypes.c_char_p
    salt = "".join(secrets.choice(_SALT) for _ in range(16))
    found = crypt(password.encode(), f"$6${salt}$".encode())
    if not found or not found.startswith(b"$6$"):
        raise Failed("the password cannot be hashed: libcrypt refuses")
    return found.decode()


def _script(files):
    lines = [_SCRIPT]
    for file in files:
        words = (file.path, file.owner, file.group, f"{file.mode:o}")
        given = " ".join(shlex.quote(word) for word in words)
        coded = textwrap.fill(base64.b64encode(file.contents).decode(), 76)
        lines.append(f"put {given} <<'END'\n{coded}\nEND\n")
    return "".join(lines)
