"""Form of window rules: a function of one band in one window, and one that concludes from all.

A rule is a function decorated by :func:`window_rule`. It gets its model and a :class:`BandWindow`
for every band that it checks (``rule.band``, else all of them) of every window, and returns a
partial result: numbers or :class:`MarkedPixels`, which travel between machines. A second function
gets the model, the :class:`RasterUnderCheck`, and the partial results of each band in window order,
and returns the outcome. Rules whose violations are regions of wrong pixels use :func:`pixel_rule`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, TypeVar, cast, get_type_hints

import numpy as np
from numpy.typing import NDArray

from spatial_pipeline.check.base import Context, WindowCheck, evaluates
from spatial_pipeline.check.raster.reading import (
    chosen_bands,
    needs_pixels,
    raster_profile,
    unread,
)
from spatial_pipeline.check.raster.regions import MarkedPixels, Marks, RegionFinder
from spatial_pipeline.contract.rules import Rule
from spatial_pipeline.contract.vocabulary import Kind
from spatial_pipeline.model.profile import RasterProfile
from spatial_pipeline.model.raster_window import PixelWindow
from spatial_pipeline.model.readers import RasterReader, Reader
from spatial_pipeline.model.violations import RuleOutcome

T = TypeVar("T")


class RasterUnderCheck:
    """The raster that a window rule checks, and the state that its windows share.

    Attributes:
        data: reads the staged raster, for pixels around a window too.
        profile: profile of the raster.
        others: the other datasets of the rule.
        regions: collects marked pixels and outlines them.
        cancelled: raises when the time of the rule is up; long loops call it.

    """

    def __init__(self, context: Context) -> None:
        self.data = cast("RasterReader", context.data)
        self.profile: RasterProfile = raster_profile(context)
        self.others: tuple[Reader, ...] = context.others
        self.regions = RegionFinder(self.profile)
        self.cancelled = context.cancelled
        self._memo: dict[Hashable, Any] = {}
        self._lock = threading.RLock()

    @property
    def rasters(self) -> tuple[RasterReader, ...]:
        """The other datasets of a rule that compares rasters."""
        return tuple(cast("RasterReader", other) for other in self.others)

    def memo(self, key: Hashable, make: Callable[[], T]) -> T:
        """A value that is made once for all windows and threads of this machine."""
        with self._lock:
            if key not in self._memo:
                self._memo[key] = make()
            return cast("T", self._memo[key])


@dataclass(frozen=True)
class BandWindow:
    """One band of a raster in one window of h × w pixels.

    Attributes:
        raster: the raster.
        window: the window, with all bands.
        band: 1-based band.
        shared: what the bands of the window share, see :meth:`once`.

    """

    raster: RasterUnderCheck
    window: PixelWindow
    band: int
    shared: dict[Hashable, Any] = field(default_factory=dict)

    @property
    def values(self) -> NDArray[Any]:
        """(h, w) pixels as stored (no scale, no offset)."""
        band: NDArray[Any] = self.window.values[self.band - 1]
        return band

    @property
    def valid(self) -> NDArray[np.bool_]:
        """(h, w) bool: False for nodata and masked pixels."""
        band: NDArray[np.bool_] = self.window.valid[self.band - 1]
        return band

    @property
    def valid_count(self) -> int:
        """Number of valid pixels."""
        return int(self.window.valid_counts[self.band - 1])

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """A value that is made once for all bands of this window."""
        if key not in self.shared:
            self.shared[key] = make()
        return cast("T", self.shared[key])

    def around(self, margin: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """The band with the pixels around the window, read once for all bands.

        Args:
            margin: pixels on each side.

        Returns:
            (h + 2·margin, w + 2·margin) values, 0 outside of the raster, and which are valid.

        """
        values, valid = self.once(("around", margin), lambda: self._around(margin))
        return values[self.band - 1], valid[self.band - 1]

    def _around(self, margin: int) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        profile, window = self.raster.profile, self.window
        bands, height, width = window.values.shape
        top, left = max(0, window.row_off - margin), max(0, window.col_off - margin)
        bottom = min(profile.height, window.row_off + height + margin)
        right = min(profile.width, window.col_off + width + margin)
        wider = self.raster.data.read(top, left, bottom - top, right - left)
        shape = bands, height + 2 * margin, width + 2 * margin
        values, valid = np.zeros(shape, wider.values.dtype), np.zeros(shape, dtype=bool)
        row, column = top - window.row_off + margin, left - window.col_off + margin
        inside = (
            slice(None),
            slice(row, row + bottom - top),
            slice(column, column + right - left),
        )
        values[inside], valid[inside] = wider.values, wider.valid
        return values, valid

    def marks(self, mask: NDArray[np.bool_] | None, values: NDArray[Any] | None = None) -> Marks:
        """Pixels to be outlined.

        Args:
            mask: (h, w) bool, None when there are none.
            values: (h, w) values whose range a region reports, None when it reports none.

        """
        if mask is None:
            return Marks(self.band, 0)
        return self.raster.regions.mark(self.window, self.band, mask, values)


Partials = Mapping[int, Sequence[Any]]
"""1-based band → partial results in window order."""
Conclude = Callable[[Any, RasterUnderCheck, Any], RuleOutcome]
Evaluate = Callable[[Any, BandWindow], Any]
E = TypeVar("E", bound=Evaluate)


class WindowRuleCheck(WindowCheck[Rule]):
    """Evaluates a function that :func:`window_rule` decorates."""

    function: ClassVar[Evaluate]
    conclude: ClassVar[Conclude]
    unreadable: ClassVar[bool]
    notes_unread: ClassVar[bool]

    def __init__(self, rule: Rule, context: Context) -> None:
        super().__init__(rule, context)
        self._raster = RasterUnderCheck(context)

    def map(self, window: PixelWindow) -> list[Any]:
        """Partial result of each band."""
        shared: dict[Hashable, Any] = {}
        return [
            type(self).function(self.rule, BandWindow(self._raster, window, band, shared))
            for band in self._bands()
        ]

    def reduce(self, partials: Sequence[list[Any]]) -> RuleOutcome:
        """The conclusion, and a note on blocks that do not decode.

        Raises:
            RuleError: no window was read.

        """
        if not self.unreadable:
            needs_pixels(partials)
        bands = {band: [window[i] for window in partials] for i, band in enumerate(self._bands())}
        outcome = type(self).conclude(self.rule, self._raster, bands)
        if not self.notes_unread:
            return outcome
        return replace(outcome, notes=(*outcome.notes, *unread(self._raster.profile)))

    def _bands(self) -> list[int]:
        return chosen_bands(getattr(self.rule, "band", None), self._raster.profile)


def window_rule(
    conclude: Conclude,
    *,
    unreadable: bool = False,
    notes_unread: bool = True,
    kind: Kind | None = None,
) -> Callable[[E], E]:
    """Registers a function as the evaluation of the rule model of its first parameter.

    Args:
        conclude: makes the outcome of the rule, the raster and the partial results of each band.
        unreadable: the rule judges what does not decode: it concludes without any window, too.
        notes_unread: blocks that do not decode are noted here, not by the rule.
        kind: kind of data that it judges, None for every kind.

    """

    def register(function: E) -> E:
        model = next(iter(get_type_hints(function).values()))
        parts = {
            "function": staticmethod(function),
            "conclude": staticmethod(conclude),
            "unreadable": unreadable,
            "notes_unread": notes_unread and not unreadable,
            "__doc__": function.__doc__,
            "__module__": function.__module__,
        }
        name = f"{model.__name__}{(kind or '').title()}Check"
        evaluates(model, kind)(type(name, (WindowRuleCheck,), parts))
        return function

    return register


def pixel_rule(says: Callable[[Any, Any, Any, int], str]) -> Callable[[E], E]:
    """Registers a function that finds wrong pixels: one violation per connected region of them.

    The function returns :class:`MarkedPixels`. The number of violations is that of the pixels.

    Args:
        says: (rule, low, high, nan) → what is wrong with the pixels of a region: the smallest and
            the largest value of them, NaN when unknown, and how many are NaN.

    """

    def conclude(
        rule: Any, raster: RasterUnderCheck, bands: Mapping[int, Sequence[MarkedPixels]]
    ) -> RuleOutcome:
        marked = [m for found in bands.values() for m in found]
        violations, note = raster.regions.violations(
            [m.marks for m in marked],
            lambda band, low, high, nan: f"band {band}: {says(rule, low, high, nan)}",
        )
        checked = sum(m.pixels for m in marked)
        count = sum(m.marks.count for m in marked)
        nan = sum(m.nan for m in marked)
        places = f"{len(violations)} {'cell' if note else 'region'}{'s' * (len(violations) != 1)}"
        wrong = says(rule, np.nan, np.nan, 0)
        return RuleOutcome(
            checked=checked,
            violations=violations,
            count=count,
            message=f"{count} of {checked} pixels {wrong}"
            f"{f', {nan} of them NaN' if nan else ''}, in {places}"
            if count
            else f"{checked} pixels checked",
            notes=(
                *((note,) if note else ()),
                *(("no pixel has data",) if not checked else ()),
            ),
        )

    return window_rule(conclude)
