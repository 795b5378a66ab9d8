"""Entries in the root of a store that are no datasets: other sources, signs of life, locks, probes.

Their names begin with a dot, which no dataset's name does.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from uuid import uuid4

from spatial_pipeline.runtime import heartbeat

OTHERS = ".others"
"""Pseudo-dataset that holds the other sources of comparisons; they are staged like datasets."""
STALE_S = 86_400.0
"""Age from which a sign of life or a probe belongs to no process; living ones are seconds old."""
_ALERTS = (".alerts-", ".lock")
_PROBE = ".health-"


def alerts_lock(root: Path, location: str) -> Path:
    """Lock under which the state of the alerts of a code location is changed."""
    safe = "".join(c if c.isalnum() else "_" for c in location)
    return root / safe.join(_ALERTS)


def probe_file(root: Path) -> Path:
    """A new file that shows whether the store can be written."""
    return root / f"{_PROBE}{uuid4().hex}"


def strangers(root: Path) -> list[Path]:
    """Entries of the root that this package does not write."""
    if not root.is_dir():
        return []
    return [p for p in sorted(root.iterdir()) if not _known(p)]


def stale(root: Path, now: float) -> list[Path]:
    """Signs of life and probes of processes that ended long ago.

    Args:
        root: folder of the store.
        now: POSIX seconds.

    """
    found: list[Path] = []
    for file in (*(root / heartbeat.FOLDER).glob("*"), *root.glob(f"{_PROBE}*")):
        # A run that ends is forgotten by another process at any time.
        with contextlib.suppress(FileNotFoundError):
            if file.name != heartbeat.CLOCK and file.stat().st_mtime < now - STALE_S:
                found.append(file)
    return found


def remove_stale(root: Path, now: float) -> None:
    """Removes them."""
    for file in stale(root, now):
        file.unlink(missing_ok=True)


def _known(path: Path) -> bool:
    name = path.name
    if path.is_dir():
        return not name.startswith(".") or name in {OTHERS, heartbeat.FOLDER}
    before, after = _ALERTS
    return name.startswith(_PROBE) or (name.startswith(before) and name.endswith(after))
