"""Which addresses are never connected to, whatever name led there and whoever allowed that name (contract, section 8).

Loopback and private addresses are not among them: a stand-in on one's own machine and an Intouch in an intranet are
reached by them, when their origin is on the allow-list. Nothing is resolved here, and nothing is asked of the network.
"""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address

_NEVER = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",  # unspecified: Linux connects to itself
        "169.254.0.0/16",  # link-local; most clouds tell a machine its credentials at 169.254.169.254
        "100.100.100.200/32",  # the same for Alibaba
        "168.63.129.16/32",  # Azure
        "192.0.0.0/24",  # protocol assignments, and 192.0.0.192 for Oracle
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "fd00:ec2::/32",  # Amazon
        "fd20:ce::254/128",  # Google
        "fd00:42::42/128",  # Scaleway
        "fe80::/10",  # link-local
        "fec0::/10",  # what was site-local
        "ff00::/8",  # multicast
        # Two that carry an IPv4 address at a place, or in a form, that only their own network knows:
        "64:ff9b:1::/48",  # NAT64 of one network
        "2001::/32",  # Teredo
    )
)
_MAPPED = IPv6Network("::ffff:0:0/96")
# They lead to an IPv4 address that stands inside: (network, bits behind it). Only public ones belong there.
_TUNNELS = ((IPv6Network("64:ff9b::/96"), 0), (IPv6Network("2002::/16"), 80))  # NAT64, 6to4
_32_BITS = 0xFFFF_FFFF


def read_address(text: str) -> Address | None:
    """The address that is written here, if one is: four decimal numbers, or IPv6 in any of its spellings."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def is_forbidden(address: Address) -> bool:
    """True for an address that is never connected to, also where an IPv6 address only carries it."""
    if isinstance(address, IPv6Address):
        if address in _MAPPED:
            return is_forbidden(_carried(address, 0))
        for network, bits in _TUNNELS:
            if address in network:
                carried = _carried(address, bits)
                return not carried.is_global or is_forbidden(carried)
    if address.is_loopback:
        return False
    # Of IPv6, whole blocks are reserved; `::` and what only looks like an IPv4 address (`::a9fe:a9fe`) lie in one.
    return address.is_reserved or any(address in network for network in _NEVER)


def _carried(address: IPv6Address, bits_behind: int) -> IPv4Address:
    return IPv4Address(int(address) >> bits_behind & _32_BITS)
