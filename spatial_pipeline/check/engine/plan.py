"""How the work of a check is partitioned: pieces, threads, memory, and other machines."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from spatial_pipeline.check.engine.remote import Window
from spatial_pipeline.check.engine.rule_run import RuleRun
from spatial_pipeline.model.violation_runs import ViolationSink

Work = Callable[[], Coroutine[Any, Any, None]]
Works = Sequence[Work]


@dataclass(frozen=True)
class Plan:
    """The partitioning of the work and its concurrency.

    Attributes:
        jobs: worker threads.
        piece_size: features per piece; None lets memory and threads decide.
        memory: bytes that the pieces in flight may need together; None means no bound.
        sink: moves violations beyond its limit out of memory; None keeps them all.

    """

    jobs: int = 2
    piece_size: int | None = None
    memory: int | None = None
    sink: ViolationSink | None = None

    @property
    def in_flight(self) -> int:
        """Pieces at once: one more than threads, so that none waits for a piece."""
        return self.jobs + 1


@dataclass(frozen=True)
class Shares:
    """The pieces of a version, divided between this machine and others.

    Attributes:
        here: work items for the pieces that this machine evaluates.
        far: rule runs that other machines evaluate.
        places: window of each piece; None for each piece of features.
        columns: attribute columns that the rule runs need.
        size: features per piece; None means the version's own batches.

    """

    here: Works = ()
    far: Sequence[RuleRun] = ()
    places: Sequence[Window | None] = ()
    columns: tuple[str, ...] = ()
    size: int | None = None
