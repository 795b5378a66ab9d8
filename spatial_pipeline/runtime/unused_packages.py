"""Packages that libraries import if they are there, kept out of a process that has no use for them.

Arrow imports pandas with the first array that it converts, rasterio imports boto3: together longer
than the check of a small file takes.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator

SINGLE_COMMAND = threading.Event()
"""Set in a process that runs one command and nothing of others."""


@contextlib.contextmanager
def missing(*names: str) -> Iterator[None]:
    """Within the block, packages cannot be imported; those that are imported stay.

    Args:
        names: top-level packages.

    """
    finder = _Missing(names)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def arrow_without_pandas() -> None:
    """Has Arrow look for pandas now, and find none; it looks once.

    Arrays that it is given later are not recognised as those of pandas. Does nothing where pandas
    is imported already.
    """
    if "pandas" not in sys.modules:
        with missing("pandas"):
            import pyarrow as pa

            pa.array([None])


class _Missing:
    """Finds no package of some names, and lets no other finder look for it."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names

    def find_spec(self, fullname: str, *_: object) -> None:
        if fullname in self.names:
            msg = f"{fullname} is not imported here"
            raise ModuleNotFoundError(msg, name=fullname)


__all__ = ["SINGLE_COMMAND", "arrow_without_pandas", "missing"]
