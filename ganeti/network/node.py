"""Setting up NICs on this node and taking them down, whatever has been before."""

from pathlib import Path

import binding
import kernel
import metadata
import routes
import rules
from nic import Invalid, Nic


class Node:
    """What is set up, and where it is said how."""

    def __init__(self, applied, profiles, bindings, nodes, asking):
        self.applied = applied
        self.profiles = profiles
        self.bindings = bindings
        self.nodes = nodes
        self.asking = asking

    def up(self, environment):
        """
        Set up the NIC of an environment like that of Ganeti's ``kvm-ifup``.

        :raises Invalid: The environment makes no sense.
        :raises Failed: The kernel refused; nothing of the NIC is left.
        """
        with self.applied.locked():
            nic = Nic(environment)
            for entry in self._concerned(nic):
                old = self.applied.nic(entry)
                # Taps' names come again: what is old must not be taken for new.
                if _is_gone(old) or not _is_same(old, nic):
                    self._take_down(old)
                else:
                    # It has arrived here, and has been followed: see follow.py.
                    self._change(old, nic.environment)
                    return
            self._set_up(nic)

    def prepare(self, environment):
        """
        Set up a routed NIC whose guest is on its way here, save that nobody is told.

        :return: It, for ``arrived``.
        :raises Invalid: The environment makes no sense.
        :raises Failed: The kernel refused; nothing of the NIC is left.
        """
        with self.applied.locked():
            nic = Nic(environment)
            for entry in self._concerned(nic):
                self._take_down(self.applied.nic(entry))
            self._number(nic)
            self.applied.write(nic)
            try:
                kernel.forward(nic.tap, nic.uplink)
                kernel.nft(self._rules(nic))
                _batches(routes.link(nic))
                self._tell(nic)
            except Exception:
                self._take_down(nic)
                raise
        return nic

    def arrived(self, nic):
        """Have a NIC that was prepared be reached here from now on, if it is there."""
        with self.applied.locked():
            for entry in self.applied.entries():
                if entry.tap == nic.tap and not _is_gone(entry):
                    self._reached(self.applied.nic(entry), nic)

    def _reached(self, known, nic):
        if _is_same(known, nic):
            _batches(routes.reached(known))
            kernel.announce(known.uplink, known.addresses)

    def refresh(self, environment):
        """Follow the tags that an instance has now, as a hook's environment has them."""
        instance = environment.get("GANETI_INSTANCE_NAME", "")
        before = environment.get("GANETI_INSTANCE_TAGS", "")
        tags = environment.get("GANETI_POST_INSTANCE_TAGS", before)
        with self.applied.locked():
            self._collect()
            for nic in self.applied.all():
                if nic.instance == instance and nic.environment["TAGS"] != tags:
                    self._change(nic, {**nic.environment, "TAGS": tags})

    def collect(self):
        """Take down what was set up for taps that are gone."""
        with self.applied.locked():
            self._collect()

    def restore(self):
        """Set up again what is set up."""
        with self.applied.locked():
            self._collect()
            for nic in self.applied.all():
                self._change(nic, nic.environment)

    def _concerned(self, nic):
        """Return the entries of what is gone, and of what the tap of a NIC is for now."""
        return [
            entry
            for entry in self.applied.entries()
            if entry.tap == nic.tap or _is_gone(entry)
        ]

    def _collect(self):
        for entry in self.applied.entries():
            if _is_gone(entry):
                self._take_down(self.applied.nic(entry))

    def _change(self, nic, environment):
        # Not by way of nothing: connections and frames of the moment must not suffer.
        after = Nic(environment, nic.number, nic.zone, nic.uplink)
        rules.up(after, self.profiles, "")  # refuses before anything is changed
        stale = [pair for pair in nic.floating if pair not in after.floating]
        self.applied.write(after)
        kernel.nft(rules.without_floating(stale) + self._rules(after))
        if after.routed:
            _batches(routes.without(nic, [floating for floating, _fixed in stale]))
            self._route(after)
        else:
            kernel.ip(metadata.up(after))
        metadata.write(after, self.asking)

    def _tell(self, nic):
        """Tell those who answer a guest whose its tap is."""
        binding.write(nic, self.bindings)
        metadata.write(nic, self.asking)

    def _number(self, nic):
        nic.number = kernel.number_of(nic.tap)
        if not nic.number:
            raise Invalid(f"INTERFACE={nic.tap}: this node has no such interface")
        rules.up(nic, self.profiles, "")  # refuses before anything is made
        if nic.routed:
            nic.uplink = kernel.uplink(nic.link)

    def _set_up(self, nic):
        self._number(nic)
        self.applied.write(nic)
        try:
            if nic.routed:
                self._route(nic)
            else:
                self._bridge(nic)
            self._tell(nic)
        except Exception:
            self._take_down(nic)
            raise

    def _route(self, nic):
        kernel.forward(nic.tap, nic.uplink)
        kernel.nft(self._rules(nic))
        _batches(routes.up(nic))
        if nic.uplink:
            kernel.announce(nic.uplink, nic.addresses)

    def _bridge(self, nic):
        if not kernel.filters_bridges():
            raise kernel.Failed(
                "the kernel module br_netfilter is not loaded: bridged guests would"
                " have no firewall"
            )
        peers = None if nic.segment is None else self._tunnel(nic)
        if not kernel.is_bridge(nic.link):
            raise kernel.Failed(f"there is no bridge {nic.link} on this node")
        kernel.filter_bridge(nic.link)
        if not kernel.keeps_mac(nic.link):
            kernel.ip(routes.lasting(nic.link, kernel.mac_of(nic.link)))
        nic.zone = self._zone(nic)
        self.applied.write(nic)
        # Before it is a port: nothing passes that no rule has seen.
        kernel.nft(self._rules(nic, peers))
        kernel.ip(routes.bridged(nic))

    def _tunnel(self, nic):
        """Have the bridge of a VXLAN network, send its floods to all nodes; those."""
        addresses = self._addresses()
        local, underlay = kernel.own_device(addresses)
        peers = set(addresses) - {local}
        kernel.ip(routes.vxlan(nic.link, nic.segment, local, underlay))
        kernel.flood(routes.tunnel(nic.segment), peers)
        return peers

    def _addresses(self):
        try:
            text = Path(self.nodes).read_text("ascii")
            return [line.split()[1] for line in text.splitlines() if line.strip()]
        except (OSError, ValueError, IndexError) as problem:
            raise kernel.Failed(f"{self.nodes}: {problem}") from None

    def _zone(self, nic):
        """Return the number that keeps a bridge's connections apart: 16 bits, not 0."""
        for entry in self.applied.entries():
            if entry.link == nic.link and entry.tap != nic.tap:
                zone = self.applied.nic(entry).zone
                if zone:
                    return zone
        return kernel.number_of(nic.link) % 65535 + 1

    def _rules(self, nic, peers=None):
        mac = "" if nic.routed else kernel.mac_of(nic.link)
        return rules.up(nic, self.profiles, mac, peers)

    def _take_down(self, nic):
        others = [one for one in self.applied.entries() if one.tap != nic.tap]
        last = all(one.link != nic.link for one in others)
        kernel.nft(rules.down(nic, last))
        kernel.ip(metadata.down(nic))
        if nic.routed:
            _batches(routes.down(nic))
        elif nic.segment is not None and self._unused(nic):
            kernel.ip(routes.without_vxlan(nic.link, nic.segment))
            if all(self.applied.nic(one).segment is None for one in others):
                kernel.nft(rules.without_tunnels())
        binding.remove(nic, self.bindings)
        metadata.remove(nic, self.asking)
        self.applied.remove(nic)

    def _unused(self, nic):
        ports = set(kernel.ports_of(nic.link))
        return not ports - {routes.tunnel(nic.segment), nic.tap}


def _is_gone(nic):
    return kernel.number_of(nic.tap) != nic.number


def _is_same(old, nic):
    """Whether it is the same routed NIC, but perhaps for the tags of its instance."""
    # Ganeti's tags come in any order.
    one, other = (
        {**nic.environment, "TAGS": "", "NETWORK_TAGS": sorted(nic.network_tags)}
        for nic in (old, nic)
    )
    return old.routed and one == other


def _batches(families):
    for family, lines in families.items():
        kernel.ip(lines, family)
