"""Limits of a transfer: bytes, time-outs, attempts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TransferLimits:
    """Bounds of one source.

    Attributes:
        max_bytes: most bytes of all its files together.
        connect_timeout_s: longest wait for a connection.
        read_timeout_s: longest wait for the next bytes.
        attempts: how often a request is sent before it is given up.
        max_redirects: most redirects of one request.

    """

    max_bytes: int = 64 << 30
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0
    attempts: int = 5
    max_redirects: int = 5


DEFAULTS = TransferLimits()


class Budget:
    """Counts the bytes of a source against its limit."""

    def __init__(self, limits: TransferLimits) -> None:
        self._limit = limits.max_bytes
        self.spent = 0

    def spend(self, count: int) -> None:
        """Takes more bytes; a negative count gives back bytes that are transferred again.

        Raises:
            TooLargeError: there are more than the limit.

        """
        self.spent += count
        self.check(self.spent)

    def check(self, size: int) -> None:
        """Refuses a size.

        Raises:
            TooLargeError: it is over the limit.

        """
        if size > self._limit:
            msg = f"has more than {self._limit} bytes, the limit (SPATIAL_FETCH_MAX_BYTES)"
            raise TooLargeError(msg)


class TooLargeError(Exception):
    """A source has more bytes than the limit."""
