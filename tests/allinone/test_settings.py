"""The configuration files that the all-in-one writes."""

import tomllib
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from snf import config
from snf.allinone import settings
from snf.nfdhcpd.settings import Nfdhcpd
from snf.noded.config import Noded


class SettingsTests(SynchronousTestCase):
    """They load as the daemons load them."""

    def load(self, text: str, kind: type):
        path = Path(self.mktemp())
        path.write_text(text)
        return config.load(path, kind)

    def test_cyclades(self):
        """``cyclades.toml`` says where everything is, and holds no secret."""
        loaded = self.load(
            settings.cyclades(
                dsn="host=127.0.0.1 dbname=cyclades",
                dsn_password=Path("/state/secrets/postgres"),
                broker="amqp://cyclades@127.0.0.1:5/cyclades",
                broker_password=Path("/state/secrets/rabbitmq"),
                port=9000,
                images=Path("/state/images"),
                node_key=Path("/state/secrets/nodes"),
                node_url="http://10.213.20.254:9000",
                daemon_port=8781,
                control=Path("/state/run/vncauthproxy.sock"),
            ),
            config.Cyclades,
        )
        self.assertEqual("tcp:9000:interface=127.0.0.1", loaded.api.listen)
        self.assertEqual("http://127.0.0.1:9000", loaded.api.public_url)
        self.assertEqual(Path("/state/secrets/postgres"), loaded.database.password_file)
        self.assertEqual("amqp://cyclades@127.0.0.1:5/cyclades", loaded.broker.url)
        self.assertIn("reconciler", loaded.services.run)
        self.assertEqual(Path("/state/images"), loaded.images.directory)
        self.assertEqual("http://10.213.20.254:9000", loaded.nodes.url)
        self.assertEqual(Path("/state/secrets/nodes"), loaded.nodes.key_file)
        self.assertTrue(loaded.nodes.shared_images)
        self.assertIn("vncauthproxy", loaded.services.run)
        self.assertEqual(
            ("/state/run/vncauthproxy.sock", ("127.0.0.1",)),
            (loaded.console.control_socket, loaded.console.listen),
        )
        self.assertFalse(loaded.nodes.force_config_drive)

    def test_memory_bus(self):
        """A bus inside the process has no password."""
        loaded = self.load(
            settings.cyclades(
                dsn="host=127.0.0.1",
                dsn_password=Path("/state/secrets/postgres"),
                broker="memory:",
                broker_password=None,
                port=9000,
                images=Path("/state/images"),
                node_key=Path("/state/secrets/nodes"),
                node_url="http://10.213.20.254:9000",
                daemon_port=8781,
                control=Path("/state/run/vncauthproxy.sock"),
            ),
            config.Cyclades,
        )
        self.assertIsNone(loaded.broker.password_file)

    def test_eventd(self):
        """``eventd.toml`` names the paths as the host sees them, quotes and all."""
        loaded = self.load(
            settings.eventd(
                broker="amqp://cyclades@127.0.0.1:5/cyclades",
                broker_password=Path("/state/secrets/rabbitmq"),
                ganeti_data=Path('/odd "state"/ganeti/var-lib'),
                spool=Path("/state/ganeti/spool"),
                mark=Path("/state/eventd/mark"),
                node="node1.x.cyclades.test",
            ),
            config.Eventd,
        )
        self.assertEqual(
            Path('/odd "state"/ganeti/var-lib/queue'), loaded.queue.directory
        )
        self.assertEqual("node1.x.cyclades.test", loaded.master.node_name)

    def test_nodes_os(self):
        """``snf-os.toml`` says where nodes find images, and keep what they fetch."""
        text = settings.nodes_os(images="/srv/x", cache="/srv/y")
        loaded = tomllib.loads(text)
        self.assertEqual("/srv/x", loaded["images"]["directory"])
        self.assertEqual("/srv/y", loaded["cache"]["directory"])

    def test_nfdhcpd(self):
        """``nfdhcpd.toml`` says where the nodes put bindings, and who is to read them."""
        loaded = self.load(
            settings.nfdhcpd(bindings=Path("/run/x"), user="nobody"), Nfdhcpd
        )
        self.assertEqual(Path("/run/x"), loaded.bindings.directory)
        self.assertEqual("nobody", loaded.process.user)
        self.assertEqual((42, 45), (loaded.queues.dhcp, loaded.queues.dhcpv6))

    def test_noded(self):
        """``noded.toml`` says where the API is, and what is shared with it."""
        loaded = self.load(
            settings.noded(
                user="nobody",
                url="http://10.0.0.1:8774",
                key=Path("/run/x"),
                listen="tcp:8781:interface=10.0.0.2",
                serial=Path("/run/serial"),
                taps="/run/y",
            ),
            Noded,
        )
        self.assertEqual(Path("/run/serial"), loaded.serial.logs)
        self.assertEqual(("http://10.0.0.1:8774",), loaded.api.urls)
        self.assertEqual(Path("/run/x"), loaded.node.key_file)
        self.assertEqual(Path("/run/y"), loaded.metadata.directory)
