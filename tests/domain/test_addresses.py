"""Which addresses are never connected to, in every form in which one can be written or carried."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.addresses import is_forbidden, read_address

NEVER = [
    "0.0.0.0",  # noqa: S104 - as an address to call
    "0.1.2.3",
    "169.254.0.1",
    "169.254.169.254",
    "169.254.255.255",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
]
NEVER_6 = [
    "::",
    "::2",
    "::7f00:1",
    "::a9fe:a9fe",
    "::ffff:0:7f00:1",
    "64:ff9b:1::7f00:1",
    "100::1",
    "2001::1",
    "2001:0:a9fe:a9fe::",
    "4000::1",
    "fd00:ec2::254",
    "fd00:ec2::253",
    "fd20:ce::254",
    "fd00:42::42",
    "fe80::1",
    "fe80::1%eth0",
    "fe80::a9fe:a9fe",
    "febf::1",
    "fec0::1",
    "ff02::1",
]
GOOD = ["127.0.0.1", "127.1.2.3", "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "1.1.1.1", "100.100.100.201"]
GOOD_6 = ["::1", "fc00::1", "fd12:3456::1", "fd00:42::43", "2606:4700::1111", "2a00:1450:4001::200e"]
TUNNELS = ["64:ff9b::{}", "2002:{}::", "2002:{}:1:2:3:4:5"]


def forbidden(text):
    address = read_address(text)
    assert address is not None
    return is_forbidden(address)


def inside(form, address):
    """The IPv4 address within an IPv6 one."""
    number = int(ipaddress.IPv4Address(address))
    return form.format(f"{number >> 16:x}:{number & 0xFFFF:x}")


@pytest.mark.parametrize("text", [*NEVER, *NEVER_6])
def test_never(text):
    """Unspecified, link-local, metadata, multicast and reserved addresses are never connected to."""
    assert forbidden(text)


@pytest.mark.parametrize("text", [*GOOD, *GOOD_6])
def test_loopback_private_and_public_may_be(text):
    """Whether they are called is the allow-list's question alone."""
    assert not forbidden(text)


@pytest.mark.parametrize("text", NEVER)
@pytest.mark.parametrize("form", ["::ffff:{}", *TUNNELS])
def test_never_inside_another(form, text):
    """Mapped into IPv6, or behind NAT64 or 6to4, an address is the same address."""
    assert forbidden(inside(form, text))


@pytest.mark.parametrize("text", GOOD)
def test_a_mapped_address_is_that_address(text):
    """What may be connected to may be so in its IPv6 spelling."""
    assert not forbidden(inside("::ffff:{}", text))


@pytest.mark.parametrize("form", TUNNELS)
def test_a_tunnel_leads_to_public_addresses_only(form):
    """Behind NAT64 and 6to4 stands the open net; a private or loopback address there is somebody's trick."""
    assert not forbidden(inside(form, "1.1.1.1"))
    assert all(forbidden(inside(form, text)) for text in ("127.0.0.1", "10.0.0.1", "192.168.0.1", "100.64.0.1"))


@pytest.mark.parametrize(
    "text", ["", "a.example", "127.1", "0127.0.0.1", "0x7f.0.0.1", "2130706433", "1.2.3.4.5", "[::1]"]
)
def test_what_is_no_address(text):
    """A name, and a spelling that only resolvers read, is none."""
    assert read_address(text) is None


@given(st.ip_addresses())
def test_every_address_is_judged(address):
    """None raises; link-local, multicast and unspecified ones never pass."""
    never = address.is_link_local or address.is_multicast or address.is_unspecified

    assert is_forbidden(address) or not never
