"""What rules make of a piece, kept for the next version in which it stands byte by byte.

Ingest cuts a file so that what did not change is the same row group again, wherever it stands. A
check whose answer about a piece follows from the bytes of the piece alone keeps that answer as a
few numbers, unless something was found: what is to be said of a feature is always evaluated anew.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.contract.rules import Rule
from spatial_pipeline.model.profile import VectorProfile
from spatial_pipeline.model.readers import BatchDigest
from spatial_pipeline.runtime.hashing import fingerprint

if TYPE_CHECKING:
    from spatial_pipeline.check.engine.partitioning import Span

Words = NDArray[np.uint64]


class PieceName(NamedTuple):
    """What a piece is known by: a digest of its batch, and which of its features it has."""

    digest: str
    skipped: int
    features: int


Answers = Mapping[PieceName, Words]


@dataclass(frozen=True)
class Batches:
    """The batches of a version, compared with those of an earlier one.

    Attributes:
        digests: what each is known by.
        same: (n,) bool: the earlier version has it, too, whatever its rows are numbered.

    """

    digests: Sequence[BatchDigest]
    same: NDArray[np.bool_]

    def name(self, span: Span, *, numbered: bool) -> PieceName:
        """What a piece is known by.

        Args:
            span: the piece.
            numbered: the numbers of its source rows matter, too.

        """
        digest = self.digests[span.batch]
        return PieceName(digest.whole if numbered else digest.values, span.skipped, len(span))

    def unchanged(self, span: Span) -> bool:
        """True when the earlier version has the piece, too, whatever its rows are numbered."""
        return bool(self.same[span.batch])


class Repeating(ABC):
    """What a check adds to its class when its answer about a piece follows from the bytes of it."""

    numbered: ClassVar[bool] = False
    """The answer depends on the numbers of the source rows, too."""

    def relies_on(self) -> Sequence[Any]:
        """What else it follows from, beside the rule and the CRS."""
        return ()

    @abstractmethod
    def packed(self, partial: Any, count: int) -> Words | None:
        """The partial result of a piece as numbers; None when something was found.

        Args:
            partial: of the piece.
            count: features of the piece.

        """

    @abstractmethod
    def unpacked(self, words: Words, places: slice) -> Any:
        """The partial result that ``packed`` was given, of the same piece at other places."""


@dataclass
class Repeats:
    """What a rule answered about pieces of an earlier version, and about those of this one."""

    wording: str
    known: Answers = field(default_factory=dict)
    fresh: dict[PieceName, Words] = field(default_factory=dict)


def wording(rule: Rule, check: Any, profile: Any, about_results: frozenset[str]) -> str | None:
    """Says what is asked of each piece; None when the answers are not kept.

    Args:
        rule: the rule.
        check: its check.
        profile: of the version under check.
        about_results: parameters of the rule that do not change its answer about a piece.

    """
    if not isinstance(check, Repeating) or not isinstance(profile, VectorProfile):
        return None
    asked = rule.model_dump(mode="json", exclude=set(about_results))
    return fingerprint("pieces", asked, profile.crs, list(check.relies_on()))


__all__ = ["Answers", "Batches", "PieceName", "Repeating", "Repeats", "Words", "wording"]
