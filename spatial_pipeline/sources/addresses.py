"""Resolution of host names to addresses that may be contacted, before anything is sent."""

from __future__ import annotations

import ipaddress
import socket

from spatial_pipeline.errors import SourceError, SourceUnreachableError

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
_TRANSLATED = (
    ipaddress.IPv6Network("64:ff9b::/96"),
    ipaddress.IPv6Network("64:ff9b:1::/48"),
    ipaddress.IPv6Network("::/96"),
)
"""IPv6 networks whose last 32 bits are an IPv4 address (RFC 6052, RFC 8215, RFC 4291)."""


def resolve(host: str, port: int, *, local: bool) -> list[str]:
    """The addresses of a host, in the order of the system; connect to these, not to the name.

    Args:
        host: name or address.
        port: port.
        local: loopback and link-local addresses are admitted.

    Raises:
        SourceUnreachableError: the name is not known.
        SourceError: one of its addresses is not admitted.

    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else exc
        msg = f"no address of {host} is known: {reason}"
        raise SourceUnreachableError(msg) from exc
    addresses = list(dict.fromkeys(str(f[4][0]) for f in found))
    if not local:
        for address in addresses:
            if kind := special(ipaddress.ip_address(address.partition("%")[0])):
                msg = (
                    f"{host} is a {kind} address, which SPATIAL_ALLOWED_SOURCES must list by its "
                    "number or as localhost"
                )
                raise SourceError(msg)
    return addresses


def special(address: Ip) -> str | None:
    """Reason why an address is local to this machine or network link; None for others."""
    address = _embedded(address)
    if address.is_loopback or address.is_unspecified:
        return "loopback"
    if address.is_link_local:
        return "link-local"
    if address.is_multicast or (address.version == 4 and int(address) == 0xFFFFFFFF):
        return "multicast"
    return "loopback" if address in ipaddress.IPv4Network("0.0.0.0/8") else None


def _embedded(address: Ip) -> Ip:
    """The IPv4 address that an IPv6 address stands for, where it stands for one."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and address.teredo is not None:
        inner = address.teredo[1]
    if inner is None and not (address.is_loopback or address.is_unspecified):
        low = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        inner = low if any(address in n for n in _TRANSLATED) else None
    return inner or address
