"""What takes, keeps and fetches the data of images, as the configuration says."""

from datetime import timedelta
from ipaddress import ip_network
from typing import Any

from attrs import frozen
from twisted.application.service import IService

from snf.api.tree import Files
from snf.config import Images
from snf.core.quota import Amounts
from snf.core.reach import Reach
from snf.images.intake import Intake, Sizes
from snf.images.keeper import Keeper
from snf.images.store import Store
from snf.images.threads import Threads
from snf.images.web import Limits, Web
from snf.storage.database import Database
from snf.tap.layers import Layers


@frozen
class ImageFiles:
    """What the API stands on, and the service that has to run for it."""

    files: Files
    service: IService


def image_files(
    reactor: Any, settings: Images, database: Database, limits: Amounts
) -> ImageFiles:
    """Return what the settings say."""
    layers = Layers()
    threads = Threads(reactor)
    threads.setServiceParent(layers)
    store = Store(settings.directory)
    sizes = Sizes(settings.max_bytes, settings.max_virtual_bytes)
    intake = Intake(reactor, database, store, threads.run, sizes, limits)
    intake.setServiceParent(layers)
    kept = timedelta(hours=settings.staged_hours)
    Keeper(reactor, database, store, threads.run, kept).setServiceParent(layers)
    return ImageFiles(Files(intake, _web(reactor, settings)), layers)


def _web(reactor: Any, settings: Images) -> Web | None:
    if not settings.web_download:
        return None
    reach = Reach(
        tuple(map(ip_network, settings.web_allowed)),
        tuple(map(ip_network, settings.web_denied)),
    )
    return Web(
        reactor, Limits(reach, settings.web_ports, float(settings.web_timeout_s))
    )
