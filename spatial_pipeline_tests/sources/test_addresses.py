"""Addresses of this machine and this wire, in every disguise."""

from __future__ import annotations

import ipaddress

import pytest

from spatial_pipeline.errors import SourceError, SourceUnreachableError
from spatial_pipeline.sources.addresses import resolve, special


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "loopback"),
        ("127.8.9.1", "loopback"),
        ("0.0.0.0", "loopback"),
        ("0.1.2.3", "loopback"),
        ("::", "loopback"),
        ("::1", "loopback"),
        ("::127.0.0.1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("64:ff9b::7f00:1", "loopback"),
        ("64:ff9b:1::7f00:1", "loopback"),
        ("2002:7f00:1::", "loopback"),
        ("169.254.169.254", "link-local"),
        ("::ffff:169.254.169.254", "link-local"),
        ("64:ff9b::a9fe:a9fe", "link-local"),
        ("fe80::1", "link-local"),
        ("224.0.0.1", "multicast"),
        ("ff02::1", "multicast"),
        ("255.255.255.255", "multicast"),
        ("192.168.1.1", None),
        ("10.0.0.1", None),
        ("93.184.216.34", None),
        ("2606:2800:220:1::1", None),
        ("::ffff:93.184.216.34", None),
    ],
)
def test_what_an_address_is(address: str, kind: str | None) -> None:
    assert special(ipaddress.ip_address(address)) == kind


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "0x7f.1", "2130706433", "::1", "localhost"])
def test_every_spelling_of_this_machine_is_refused(host: str) -> None:
    with pytest.raises(SourceError, match="is a loopback address"):
        resolve(host, 80, local=False)


def test_where_it_is_admitted_it_is_found() -> None:
    assert resolve("127.0.0.1", 80, local=True) == ["127.0.0.1"]
    assert resolve("93.184.216.34", 80, local=False) == ["93.184.216.34"]


def test_a_name_that_is_no_name() -> None:
    for host in ("nothing.invalid", "a" * 64 + ".org", "."):
        with pytest.raises(SourceUnreachableError, match="no address of"):
            resolve(host, 80, local=False)
