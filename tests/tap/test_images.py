"""What takes images' data, made of the configuration."""

from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase

from snf.config import Images
from snf.core.quota import NO_LIMITS
from snf.tap.images import image_files


class ImageFilesTests(SynchronousTestCase):
    """``[images]``."""

    def files(self, **settings: Any) -> Any:
        """Return what is made of some settings."""
        nothing: Any = None
        made = image_files(reactor, Images(**settings), nothing, NO_LIMITS)
        self.assertEqual(3, len(list(made.service)))
        return made.files

    def test_said(self) -> None:
        """Each setting is where it is looked for."""
        files = self.files(
            directory=Path("/data"),
            max_bytes=2**20,
            max_virtual_bytes=2**21,
            web_ports=(8080,),
            web_allowed=("10.0.0.0/8",),
            web_denied=("10.1.0.0/16",),
            web_timeout_s=5,
        )
        self.assertEqual(Path("/data/ab/abc"), files.intake.store.place("abc"))
        self.assertEqual(
            (2**20, 2**21), (files.intake.sizes.data, files.intake.sizes.disk)
        )
        limits = files.web.limits
        self.assertEqual(((8080,), 5.0), (limits.ports, limits.timeout_s))
        for address, permitted in (("10.2.0.1", True), ("10.1.0.1", False)):
            self.assertEqual(permitted, limits.reach.permits(address))

    def test_no_web(self) -> None:
        """Fetching can be left out."""
        self.assertIsNone(self.files(web_download=False).web)
