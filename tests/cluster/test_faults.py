"""A power cut anywhere loses nothing, and nothing is done twice."""

from collections.abc import Awaitable, Callable

from twisted.internet.defer import ensureDeferred
from twisted.internet.threads import deferToThread

from snf.core.naming import order_reason
from tests.live.cloud import LiveTestCase, eventually, kill

# Holds up whoever stores that an order has been submitted.
_HOLD = """
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_sleep(25);
    RETURN NEW;
END $$;
CREATE TRIGGER hold BEFORE UPDATE ON orders FOR EACH ROW
    WHEN (NEW.state = 'submitted') EXECUTE FUNCTION hold();
"""
_LET_GO = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid();
DROP TRIGGER IF EXISTS hold ON orders;
DROP FUNCTION IF EXISTS hold;
"""


class FaultTests(LiveTestCase):
    """Each ends with the server ACTIVE within 60 s of everything being back."""

    timeout = 300

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(lambda: ensureDeferred(self.restart_daemons()))

    async def test_killed_between_submit_and_store(self) -> None:
        """A submitter killed before it could store its job: one instance, not two."""
        self.query(_HOLD)
        self.addCleanup(self.query, _LET_GO)
        server = await self.made()
        number = await self.number(server)
        [(order,)] = self.query("SELECT id FROM orders WHERE server_id = %s", number)

        async def submitted() -> bool:
            jobs = await self.inside("grep", "-rl", order_reason(order), _QUEUE)
            return bool(jobs.strip())

        await eventually(self._quiet(submitted), "the job is at Ganeti", 30)
        self.kill_cyclades()
        self.query(_LET_GO)
        [(state,)] = self.query("SELECT state FROM orders WHERE id = %s", order)
        self.assertEqual("submitting", state)

        await self.restart_daemons()
        await self.user.until(server, "ACTIVE", 60)
        [(state, job)] = self.query(
            "SELECT state, job FROM orders WHERE id = %s", order
        )
        self.assertEqual("done", state)
        self.assertIn(f"snf-{number}", await self.instances())
        jobs = await self.inside("grep", "-rl", order_reason(order), _QUEUE)
        self.assertEqual([f"{_QUEUE}/job-{job}"], jobs.split())

    async def test_broker_away_during_a_build(self) -> None:
        """RabbitMQ killed during a build and started again."""
        server = await self.made(image="tiny")
        kill(self.cloud.rabbitmq.daemon.pid())

        async def built() -> bool:
            [(number,)] = self.query("SELECT id FROM server WHERE uuid = %s", server)
            return (await self.instances()).get(f"snf-{number}") == "running"

        await eventually(built, "the instance runs", 60, 0.5)
        await self.restart_daemons()
        await self.user.until(server, "ACTIVE", 60)

    async def test_broker_stopped_in_order(self) -> None:
        """RabbitMQ stopped during a build and started again."""
        server = await self.made()
        await deferToThread(self.cloud.rabbitmq.down)
        await self.restart_daemons()
        await self.user.until(server, "ACTIVE", 60)

    async def test_eventd_killed_during_a_build(self) -> None:
        """eventd killed during a build and started again when all is over."""
        server = await self.made()
        self.kill_eventd()
        name = f"snf-{await self.number(server)}"

        async def built() -> bool:
            return (await self.instances()).get(name) == "running"

        await eventually(built, "the instance runs", 60, 0.5)
        await self.restart_daemons()
        await self.user.until(server, "ACTIVE", 60)

    async def test_database_away(self) -> None:
        """PostgreSQL killed during a build: requests get a 503, then all goes on."""
        server = await self.made()
        kill(self.cloud.postgres.daemon.pid())
        reply = await self.user.call("GET", "/compute/v2.1/servers")
        self.assertIn(reply.code, (200, 503))
        await self.restart_daemons()
        await self.user.until(server, "ACTIVE", 60)

    def _quiet(
        self, look: Callable[[], Awaitable[bool]]
    ) -> Callable[[], Awaitable[bool]]:
        """Take a command that finds nothing, and so fails, for a no."""

        async def quiet() -> bool:
            try:
                return await look()
            except Exception:
                return False

        return quiet


_QUEUE = "/var/lib/ganeti/queue"
