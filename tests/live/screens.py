"""Guests that wait at their screens for somebody to log in."""

from tests.live.cloud import LiveTestCase

PASSWORD = "Guest-7-password"


class ScreenTestCase(LiveTestCase):
    """A test of the screen of a real guest."""

    timeout = 400

    async def machine(self) -> str:
        """Return a guest that waits for somebody to log in."""
        wanted = await self.user.ids("m1.small", "tiny-disk")
        body = {"name": "screen", "adminPass": PASSWORD, **wanted}
        reply = await self.user.call("POST", "/compute/v2.1/servers", {"server": body})
        self.assertEqual(202, reply.code, reply.json)
        server = reply.json["server"]["id"]
        self.later(self._cleaned, server)
        await self.boots(f"snf-{await self.number(server)}", timeout_s=120)
        await self.user.until(server, "ACTIVE")
        return server
