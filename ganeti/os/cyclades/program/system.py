"""The system disk: the image, from wherever it is, onto it."""

import cache
import disk
import fetch
import shared
from failure import Failed

_HALF = 50


class System:
    """What is to be done for one server; ``given`` are the OS parameters."""

    def __init__(self, given, found, news):
        self.given = given
        self.found = found
        self.news = news
        self._first = 0  # percent that fetching took

    def fill(self, target, root):
        """
        Have the image on a disk.

        :param root: The number of its root partition, if it says so.
        :raises Failed: It is refused, or cannot be had or written.
        """
        sha256, size = self.given.image_sha256, int(self.given.image_size)
        path = shared.found(self.found.images.directory, sha256)
        if path:
            shared.verify(path, sha256, size, self.found.cache.directory)
            self._write(target, path, root)
            return
        kept = cache.Cache(self.found.cache)
        with kept.held(sha256, size, self._source, self._fetched) as path:
            self._write(target, path, root)

    def _source(self):
        given = self.given
        if not given.image_url:
            raise Failed(
                "image_url: is missing, and this node has no directory with the image"
            )
        self.news.info(f"fetching image {given.image_id}, {given.image_size} bytes")
        return fetch.Source("the image", given.image_url, self.found.fetch)

    def _fetched(self, percent):
        self._first = _HALF
        self.news.progress(percent * _HALF / 100)

    def _write(self, target, path, root):
        self.news.info(f"writing image {self.given.image_id} onto the disk")
        form, limits = self.given.image_format, self.found.convert
        done = disk.write_image(target, path, form, limits, root, self._written)
        self.news.info(f"image {self.given.image_id} is written; {done}")

    def _written(self, percent):
        # The last one is for when all is done.
        whole = self._first + percent * (100 - self._first) / 100
        self.news.progress(min(99, whole))
