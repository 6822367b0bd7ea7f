"""``twistd nfdhcpd``, and the command ``nfdhcpd`` that starts it like the original."""

import sys
from functools import partial
from pathlib import Path

from twisted.application.service import IService, MultiService
from twisted.python import usage

from snf.config import ConfigError
from snf.nfdhcpd.settings import Nfdhcpd, read
from snf.privileges import Refused, user
from snf.tap.garbage import Frozen

FILES = (Path("/etc/cyclades/nfdhcpd.toml"), Path("/etc/nfdhcpd/nfdhcpd.conf"))


class Options(usage.Options):
    """The command line of twistd."""

    optParameters = [
        [
            *("config", "c", None),
            f"The configuration file: TOML, or one of the original's. [default: {FILES[0]},"
            f" or {FILES[1]}]",
        ],
    ]
    optFlags = [["check", None, "Say whether the configuration is valid, and end."]]

    def postOptions(self) -> None:
        """
        Read what the command line names.

        :raises UsageError: The configuration cannot be used; the text says why.
        """
        self.file = Path(self["config"]) if self["config"] else _file()
        try:
            self.settings = settings(self.file)
            from snf.nfdhcpd.service import Server

            self.server = Server
        except (ConfigError, Refused) as problem:
            raise usage.UsageError(str(problem)) from None
        except ImportError as problem:
            raise usage.UsageError(
                f"{problem.name} is not installed: pip install 'cyclades[node]'"
            ) from None
        if self["check"]:
            sys.stdout.write(f"{self.file}: valid\n")
            raise SystemExit(0)


def settings(file: Path) -> Nfdhcpd:
    """
    Return what a file says.

    :raises ConfigError: It is not valid.
    """
    found = read(file)
    try:
        user(found.process.user)
    except Refused as problem:
        raise ConfigError(f"{file}: process: user: {problem}") from None
    return found


def _file() -> Path:
    return next((one for one in FILES if one.exists()), FILES[0])


def makeService(options: Options) -> IService:
    """Return the service that the options describe."""
    from twisted.internet import reactor

    whole = MultiService()
    options.server(
        reactor, options.settings, partial(settings, options.file)
    ).setServiceParent(whole)
    Frozen().setServiceParent(whole)
    return whole


class Command(usage.Options):
    """The command line of ``nfdhcpd``, which the original's is a part of."""

    synopsis = "Usage: nfdhcpd [options]"
    optParameters = [["config", "c", None, "The configuration file."]]
    optFlags = [
        ["foreground", "f", "Stay in the foreground, and log to standard output."],
        ["debug", "d", "Taken and passed over: there is one level of logging."],
        ["check", None, "Say whether the configuration is valid, and end."],
    ]


def main() -> None:
    """Start the daemon as its configuration says, or check that."""
    from twisted.scripts.twistd import run

    command = Command()
    file = _file()
    try:
        command.parseOptions(sys.argv[1:])
        file = Path(command["config"]) if command["config"] else file
        process = settings(file).process
    except (usage.UsageError, ConfigError) as problem:
        sys.exit(f"nfdhcpd: {problem}")
    argv = ["twistd", "--umask=022"]
    if command["foreground"] or command["check"]:
        argv += ["--nodaemon", "--pidfile=", "--logfile=-"]
    else:
        for place in (process.pidfile, process.logfile):
            place.parent.mkdir(parents=True, exist_ok=True)
        argv += [f"--pidfile={process.pidfile}", f"--logfile={process.logfile}"]
    argv += ["nfdhcpd", f"--config={file}"] + ["--check"] * command["check"]
    sys.argv = argv
    run()
