"""Which addresses users may have something fetched from."""

from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from attrs import frozen

Network = IPv4Network | IPv6Network

# What an IPv6 address may stand for another one in (RFC 6052).
_NAT64 = ip_network("64:ff9b::/96")


@frozen
class Reach:
    """
    Public addresses, but for some, and some that are not public.

    :ivar allowed: Networks from which may be fetched although they are not public.
    :ivar denied: Networks from which may not be fetched although they are; they come
        first.
    """

    allowed: Sequence[Network] = ()
    denied: Sequence[Network] = ()

    def permits(self, text: str) -> bool:
        """Return whether may be fetched from an address."""
        try:
            address = ip_address(text.partition("%")[0])
        except ValueError:
            return False
        meant = _meant(address)
        if any(address in one or meant in one for one in self.denied):
            return False
        if any(meant in one for one in self.allowed):
            return True
        return all(_public(one) for one in (address, meant))


def _meant(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the address that another one stands for, or itself."""
    if not isinstance(address, IPv6Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return (
        address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else address)
    )


def _public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and address in _NAT64:
        return True  # it depends on what it stands for
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return True
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified
    )
