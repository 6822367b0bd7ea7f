"""Who a client is whose request came through reverse proxies."""

from collections.abc import Collection, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Network = IPv4Network | IPv6Network


def client(peer: str, told: Iterable[str], trusted: Collection[Network]) -> str:
    """
    Return the address of whoever stands before the proxies that are trusted.

    Each proxy puts the address that it sees at the right end of what it was told.
    Of that, only what a trusted proxy has put there counts: the first one from the
    right that is no trusted proxy's.  Anything to the left of it is the client's own
    invention.

    :param peer: Who is connected.
    :param told: The values of the headers ``X-Forwarded-For``, in their order.
    """
    if not trusted:
        return peer  # as with each request where there is no proxy
    known = _address(peer)
    if known is None or not _within(known, trusted):
        return peer
    for text in reversed(",".join(told).split(",")):
        one = _address(text)
        if one is None:
            break  # whatever that is, it was seen by the last one that is known
        known = one
        if not _within(one, trusted):
            break
    return str(known)


def _within(address: IPv4Address | IPv6Address, networks: Collection[Network]) -> bool:
    return any(address in network for network in networks)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address in ``192.0.2.1``, ``192.0.2.1:80``, ``2001:db8::1`` or ``[..]``."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
