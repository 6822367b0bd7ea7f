"""The metrics in a file, for Prometheus's node exporter."""

import os
from collections.abc import Callable
from pathlib import Path

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger


@define(eq=False)
class Textfile(Service):
    """Writes the metrics into a file every ``interval_s``, in one piece."""

    _log = Logger()

    clock: IReactorTime
    path: Path
    interval_s: float
    text: Callable[[], str]
    _loop: LoopingCall = field(init=False)
    _said: str = field(init=False, default="")

    def __attrs_post_init__(self) -> None:
        self._loop = LoopingCall(self._write)
        self._loop.clock = self.clock

    def startService(self) -> None:
        super().startService()
        self._loop.start(self.interval_s)

    def stopService(self) -> None:
        super().stopService()
        self._loop.stop()

    def _write(self) -> None:
        new = self.path.with_name(f".{self.path.name}.new")
        try:
            new.write_text(self.text(), "utf-8")
            os.rename(new, self.path)
        except OSError as failure:
            problem = f"{failure.filename}: {failure.strerror}"
        else:
            problem = ""
        if problem and problem != self._said:
            self._log.error("metrics cannot be written: {problem}", problem=problem)
        self._said = problem
