"""Piece cache: answers of rules about pieces that are byte-identical in the next version.

Ingest cuts a file so that unchanged data are the same row group again, wherever they stand. A check
whose answer about a piece follows from the bytes of the piece alone stores that answer as a few
numbers, unless there are violations: features with something to report are always evaluated again.
Facts about single features belong to ``feature_cache``.
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
    """Key of a piece: the digest of its batch, and the range of its features in it."""

    digest: str
    skipped: int
    features: int


Answers = Mapping[PieceName, Words]


@dataclass(frozen=True)
class Batches:
    """The batches of a version, compared with those of an earlier one.

    Attributes:
        digests: digest of each batch.
        same: (n,) bool: the earlier version has the same batch, ignoring row numbers.

    """

    digests: Sequence[BatchDigest]
    same: NDArray[np.bool_]

    def name(self, span: Span, *, numbered: bool) -> PieceName:
        """The key of a piece.

        Args:
            span: the piece.
            numbered: include the source row numbers.

        """
        digest = self.digests[span.batch]
        return PieceName(digest.whole if numbered else digest.values, span.skipped, len(span))

    def unchanged(self, span: Span) -> bool:
        """True when the earlier version has the same piece, ignoring row numbers."""
        return bool(self.same[span.batch])


class Repeating(ABC):
    """Mix-in for checks whose answer about a piece follows from the bytes of the piece."""

    numbered: ClassVar[bool] = False
    """True when the answer also depends on the source row numbers."""

    def relies_on(self) -> Sequence[Any]:
        """Other inputs of the answer, beside the rule and the CRS."""
        return ()

    @abstractmethod
    def packed(self, partial: Any, count: int) -> Words | None:
        """The partial result of a piece as numbers; None when there are violations.

        Args:
            partial: of the piece.
            count: features of the piece.

        """

    @abstractmethod
    def unpacked(self, words: Words, places: slice) -> Any:
        """The partial result that ``packed`` was given, for the same piece at other positions."""


@dataclass
class Repeats:
    """A rule's answers about pieces of an earlier version, and about those of this one."""

    wording: str
    known: Answers = field(default_factory=dict)
    fresh: dict[PieceName, Words] = field(default_factory=dict)


def wording(rule: Rule, check: Any, profile: Any, about_results: frozenset[str]) -> str | None:
    """The cache key of a rule's answers; None when they are not cached.

    Args:
        rule: the rule.
        check: its check.
        profile: profile of the version under check.
        about_results: parameters of the rule that do not change its answer about a piece.

    """
    if not isinstance(check, Repeating) or not isinstance(profile, VectorProfile):
        return None
    asked = rule.model_dump(mode="json", exclude=set(about_results))
    return fingerprint("pieces", asked, profile.crs, list(check.relies_on()))


__all__ = ["Answers", "Batches", "PieceName", "Repeating", "Repeats", "Words", "wording"]
