"""State of another thread of this process, as the system reports it: running, waiting, starved."""

from __future__ import annotations

import time
from pathlib import Path


class ThreadState:
    """Measures for how long a thread was busy or waiting, not counting time without a CPU.

    A thread that is ready to run but does not run is not at fault: the machine is loaded. Linux
    distinguishes it in ``/proc`` from one that sleeps in a call (a lock, a socket, ``time.sleep``).
    Where the system does not report this, every second counts in which this process was running.
    """

    def __init__(self, ident: int, native_id: int) -> None:
        """Looks at a thread.

        Args:
            ident: ``threading.get_ident()`` in it.
            native_id: ``threading.get_native_id()`` in it.

        """
        self._clock = (
            time.pthread_getcpuclockid(ident) if hasattr(time, "pthread_getcpuclockid") else None
        )
        self._stat = Path(f"/proc/self/task/{native_id}/stat")
        self._spent = self._cpu()

    def held(self, elapsed: float, asked: float) -> float:
        """Seconds since the last call that the thread was busy or asleep.

        Args:
            elapsed: seconds on the clock since then.
            asked: seconds that the caller meant to wait; if it was woken later than twice that, no
                thread in this process got a CPU, and the rest does not count.

        """
        before, self._spent = self._spent, self._cpu()
        worked = self._spent - before
        if self._ready():
            return worked
        return max(worked, min(elapsed, 2 * asked))

    def _ready(self) -> bool:
        """True when the thread runs or could run, False when it sleeps or its state is unknown."""
        try:
            told = self._stat.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return False
        # The name of the thread stands in parentheses and may hold any.
        return told.rpartition(")")[2].split()[0] == "R"

    def _cpu(self) -> float:
        return 0.0 if self._clock is None else time.clock_gettime(self._clock)
