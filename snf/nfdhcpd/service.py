"""The parts of nfdhcpd, put together."""

import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from attrs import define, evolve, field
from twisted.application.internet import StreamServerEndpointService
from twisted.application.service import MultiService
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.logger import Logger

from snf import privileges
from snf.nfdhcpd import feeding
from snf.nfdhcpd.advertiser import Advertiser
from snf.nfdhcpd.answers import Answers
from snf.nfdhcpd.client import Clients
from snf.nfdhcpd.counters import Metric, dropped, exposition, of_packets
from snf.nfdhcpd.dhcp4 import Dhcp4
from snf.nfdhcpd.dhcp6 import Dhcp6
from snf.nfdhcpd.directory import Directory
from snf.nfdhcpd.ns import Ns
from snf.nfdhcpd.promptness import be_prompt
from snf.nfdhcpd.queue import Queue
from snf.nfdhcpd.responder import Responder
from snf.nfdhcpd.rs import Rs
from snf.nfdhcpd.settings import OFF, Nfdhcpd
from snf.nfdhcpd.textfile import Textfile
from snf.toml import ConfigError

# For verdicts, and for sending.
_CAPABILITIES = (privileges.NET_ADMIN, privileges.NET_RAW)

_QUEUES_FILE = Path("/proc/net/netfilter/nfnetlink_queue")
_Labels = tuple[tuple[str, str], ...]


def responders(settings: Nfdhcpd) -> list[Responder]:
    """Return what answers each kind of packets that a queue is read for."""
    known: list[Responder] = [
        Dhcp4(settings.dhcp),
        Rs(settings.ipv6, settings.mode),
        Ns(),
        Dhcp6(settings.ipv6, settings.mode),
    ]
    return [one for one in known if getattr(settings.queues, one.kind) != OFF]


@define(eq=False)
class Server(MultiService):
    """
    nfdhcpd.

    :ivar reread: Returns the settings as the file has them now, or raises ``ConfigError``.
    """

    _log = Logger()

    reactor: Any
    settings: Nfdhcpd
    reread: Callable[[], Nfdhcpd]
    clients: Clients = field(init=False, factory=Clients)
    answers: Answers = field(init=False)
    advertiser: Advertiser = field(init=False)
    directory: Directory = field(init=False)
    queues: dict[str, Queue] = field(init=False, factory=dict)
    _counts: IO[bytes] | None = field(init=False, default=None)
    _before: dict[int, Any] = field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        MultiService.__init__(self)
        self.answers = Answers(self.reactor, self.clients)
        self.advertiser = Advertiser(
            self.reactor, self.clients, self.settings.ipv6.ra_period_s
        )
        self.advertiser.setServiceParent(self)
        answering = responders(self.settings)
        self.directory = Directory(
            self.reactor,
            self.settings.bindings.directory,
            self.clients,
            answering,
            self.advertiser.tell,
        )
        self.directory.setServiceParent(self)
        for one in answering:
            queue = Queue(
                self.reactor,
                getattr(self.settings.queues, one.kind),
                self.settings.queues.length,
                self.answers.taker(one),
                self.answers.begin,
            )
            queue.setServiceParent(self)
            self.queues[one.kind] = queue
        self._show()

    def privilegedStartService(self) -> None:
        """Open what only root may, then be root no more."""
        with suppress(OSError):
            self._counts = _QUEUES_FILE.open("rb", buffering=0)
        self._warn_of_unfed()
        try:
            privileges.drop(self.settings.process.user, _CAPABILITIES)
        except privileges.Refused as problem:
            raise SystemExit(f"nfdhcpd: {problem}") from None
        super().privilegedStartService()

    def startService(self) -> None:
        be_prompt()
        super().startService()
        self._on(signal.SIGUSR1, self.log_clients)
        self._on(signal.SIGHUP, self.reload)

    def stopService(self) -> Any:
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before.clear()
        self.answers.stop()
        if self._counts is not None:
            self._counts.close()
            self._counts = None
        return super().stopService()

    def reload(self) -> None:
        """Follow the configuration's file as it is now, as far as that is possible."""
        try:
            settings = self.reread()
            kept = evolve(self.settings, dhcp=settings.dhcp, ipv6=settings.ipv6)
            kept.check()
        except (ConfigError, ValueError) as problem:
            self._log.error("the configuration stays: {problem}", problem=str(problem))
            return
        if kept != settings:
            self._log.warn(
                "of the configuration, [dhcp] and [ipv6] were read again; what else has"
                " changed needs a restart"
            )
        self.settings = kept
        self.advertiser.period_s = kept.ipv6.ra_period_s
        anew = responders(kept)
        for one in anew:
            self.queues[one.kind].taken = self.answers.taker(one)
        self.directory.compile_anew(anew)
        self._log.info("the configuration was read again")

    def log_clients(self) -> None:
        """Log who is answered, and what."""
        for client in self.clients:
            binding = client.binding
            self._log.info(
                "{tap} ({number}) on {indev}: {host}, {mac}, {ip}, {ip6}, answered: {kinds}",
                tap=binding.tap,
                number=client.link.number,
                indev=binding.indev,
                host=binding.hostname,
                mac=binding.mac.hex(":"),
                ip=binding.ip or "no IPv4 address",
                ip6=binding.eui64 or "no IPv6 address",
                kinds=", ".join(
                    kind for kind, known in client.compiled.items() if known is not None
                ),
            )
        self._log.info("{count} guests are answered", count=len(self.clients))

    def metrics(self) -> str:
        """Return all that is counted, in Prometheus's text format."""
        return exposition(
            [of_packets(self.answers.packets), *self._gauges(), *self._of_queues()]
        )

    def _warn_of_unfed(self) -> None:
        """Say which queues nothing is put into; only root may list the rules."""
        text = feeding.rules()
        numbers = {kind: queue.number for kind, queue in self.queues.items()}
        unfed = feeding.unfed(numbers, text) if text is not None else []
        if unfed:
            self._log.warn(
                "no rule of the node puts packets into {queues}, so these are not answered:"
                " see nfdhcpd-queues",
                queues=", ".join(f"queue {numbers[kind]} ({kind})" for kind in unfed),
            )

    def _gauges(self) -> Sequence[Metric]:
        return (
            _plain("nfdhcpd_bindings", "gauge", "Guests answered.", len(self.clients)),
            _plain(
                *("nfdhcpd_binding_errors", "gauge", "Files that make no sense."),
                len(self.directory.faulty),
            ),
            _plain(
                *(
                    "nfdhcpd_rescans_total",
                    "counter",
                    "Readings of the whole directory.",
                ),
                self.directory.rescans,
            ),
            _plain(
                *("nfdhcpd_advertisements_total", "counter"),
                "Router advertisements that nobody asked for.",
                self.advertiser.sent,
            ),
            _plain(
                *("nfdhcpd_advertisements_unsent_total", "counter"),
                "Router advertisements that a tap did not take.",
                self.advertiser.unsent,
            ),
        )

    def _of_queues(self) -> Sequence[Metric]:
        kernel = dropped(self._counts)
        rows: list[tuple[_Labels, tuple[int, ...]]] = [
            (
                (("kind", kind),),
                (queue.overruns, *kernel.get(queue.number, (0, 0, 0))),
            )
            for kind, queue in sorted(self.queues.items())
        ]
        names = (
            ("overruns_total", "counter", "Times the kernel found our socket full."),
            ("waiting", "gauge", "Packets that wait in the kernel's queue."),
            ("dropped_total", "counter", "Packets that found the kernel's queue full."),
            ("undelivered_total", "counter", "Packets that found our socket full."),
        )
        return [
            Metric(
                f"nfdhcpd_queue_{name}",
                text,
                kind,
                tuple((labels, values[at]) for labels, values in rows),
            )
            for at, (name, kind, text) in enumerate(names)
        ]

    def _on(self, number: int, call: Callable[[], None]) -> None:
        self._before[number] = signal.signal(
            number, lambda *_: self.reactor.callFromThread(call)
        )

    def _show(self) -> None:
        settings = self.settings.metrics
        if settings.port:
            # 3 MB that a node without Prometheus can do without.
            from snf.nfdhcpd.metrics import site

            endpoint = TCP4ServerEndpoint(
                self.reactor, settings.port, interface="127.0.0.1"
            )
            StreamServerEndpointService(endpoint, site(self.metrics)).setServiceParent(
                self
            )
        if settings.textfile is not None:
            Textfile(
                self.reactor, settings.textfile, settings.textfile_s, self.metrics
            ).setServiceParent(self)


def _plain(name: str, kind: str, text: str, value: float) -> Metric:
    return Metric(name, text, kind, (((), value),))
