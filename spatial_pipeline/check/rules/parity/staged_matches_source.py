"""staged_matches_source: checksums of the staged file equal those that ingest took."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, cast

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.base import BatchCheck, WindowCheck, evaluates
from spatial_pipeline.check.incremental.piece_cache import Repeating, Words
from spatial_pipeline.contract.rules.parity import StagedMatchesSource
from spatial_pipeline.errors import RuleError
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.hashing import checksums
from spatial_pipeline.model.profile import RasterProfile, VectorProfile
from spatial_pipeline.model.raster_window import PixelWindow
from spatial_pipeline.model.readers import RasterReader, VectorReader
from spatial_pipeline.model.violations import RuleOutcome, Violations

OLD = "staged by an older version of ingest, which took no checksums: stage it again"


@evaluates(StagedMatchesSource, kind="vector")
class StagedVectorCheck(BatchCheck[StagedMatchesSource], Repeating):
    """Sums every column batch by batch.

    Columns that no other rule needs are read here, one after the other, so that a damaged column
    does not fail rules about other columns.
    """

    needs_geometry: ClassVar[bool] = False
    numbered: ClassVar[bool] = True

    def reads(self) -> tuple[str, ...]:
        """All columns."""
        return tuple(c.name for c in self._profile.columns)

    def map(self, batch: FeatureBatch) -> tuple[int, checksums.Sums]:
        """The number of features, and the sum of each column."""
        profile = self._profile
        if profile.checksums is None:
            raise RuleError(OLD)
        if self._data.row_count() != profile.count:
            return len(batch), {}
        columns: dict[str, Any] = {n: self._column(n, batch) for n in self.reads()}
        if profile.geometry_column is not None and batch.wkb is not None:
            columns[profile.geometry_column] = batch.wkb
        sums = checksums.column_sums(columns, batch.rows)
        sums[profile.row_column] = checksums.row_sum(batch.rows)
        if profile.geometry_column is not None:
            boxes = self._data.feature_bounds()[batch.positions]
            sums[profile.bbox_column] = checksums.box_sum(boxes, batch.rows)
        return len(batch), sums

    def relies_on(self) -> Sequence[Any]:
        """The columns that are summed up."""
        return (list(self._profile.checksums or ()),)

    def packed(self, partial: tuple[int, checksums.Sums], count: int) -> Words | None:
        """The sums: equal bytes have equal sums."""
        _, sums = partial
        if not sums:
            return None
        wanted = self._profile.checksums or ()
        return np.array([count, *(sums.get(n, 0) for n in wanted)], dtype=np.uint64)

    def unpacked(self, words: Words, places: slice) -> tuple[int, checksums.Sums]:  # noqa: ARG002
        """Features and sums."""
        names = self._profile.checksums or ()
        return int(words[0]), dict(zip(names, map(int, words[1:]), strict=True))

    def reduce(self, partials: Sequence[tuple[int, checksums.Sums]]) -> RuleOutcome:
        """One violation per column that differs; only one when rows are missing or renumbered."""
        profile = self._profile
        if profile.checksums is None:
            raise RuleError(OLD)
        wanted = profile.checksums
        sums: checksums.Sums = dict.fromkeys(wanted, 0)
        for _, some in partials:
            sums = checksums.added(sums, some)
        staged = self._data.row_count()
        found = checksums.written(sums)
        differing = [name for name, value in wanted.items() if found[name] != value]
        if staged != profile.count:
            reasons = [f"{profile.count} features were read, {staged} are staged"]
        elif profile.row_column in differing:
            reasons = ["the numbers of the source rows are not those that were read"]
        else:
            reasons = [f"{self._named(n)}: staged values are not those that were read"
                       for n in differing]  # fmt: skip
        helpers = {profile.row_column, profile.bbox_column, profile.geometry_column}
        columns = len(set(wanted) - helpers)
        judged = "geometry and " if profile.geometry_column is not None else ""
        return RuleOutcome(
            checked=staged,
            violations=Violations.build(np.full(len(reasons), -1), reasons),
            message=f"{'; '.join(reasons)}"
            if reasons
            else f"{staged} features, {judged}{columns} columns are as they were read",
        )

    def _named(self, column: str) -> str:
        if column == self._profile.geometry_column:
            return f"geometry column {column}"
        return f"column {column}"

    def _column(self, name: str, batch: FeatureBatch) -> Any:
        """The values of a column; read unless they are already loaded."""
        if name in batch.table.column_names:
            return batch.table.column(name)
        try:
            return self._data.take(batch.positions, (name,), geometry=False).table.column(name)
        except Exception as exc:
            msg = f"{self._place(name)}column {name} cannot be read: {exc}"
            raise RuleError(msg) from exc

    def _place(self, name: str) -> str:
        """The first row group in which a column cannot be read."""
        for index in range(self._data.batch_count()):
            try:
                self._data.batch(index, (name,), geometry=False)
            except Exception:  # noqa: BLE001 - damaged files fail in many ways
                return f"row group {index}, "
        return ""

    @property
    def _data(self) -> VectorReader:
        return cast("VectorReader", self.context.data)

    @property
    def _profile(self) -> VectorProfile:
        return cast("VectorProfile", self.context.data.profile)


@evaluates(StagedMatchesSource, kind="raster")
class StagedRasterCheck(WindowCheck[StagedMatchesSource]):
    """Sums pixels and masks window by window, and looks for the tags of the source."""

    def map(self, window: PixelWindow) -> tuple[int, NDArray[np.uint64]]:
        """Pixels of the window, and their sums by cell."""
        profile = self._profile
        if profile.checksums is None:
            raise RuleError(OLD)
        bands, height, width = window.values.shape
        cells = checksums.empty_cells(bands, profile.width, profile.height)
        masks = {band: window.valid[band] for band in profile.masked_bands}
        side = checksums.cell_side(profile.width, profile.height)
        checksums.add_window(cells, window.values, masks, window.row_off, window.col_off, side)
        return height * width, cells

    def reduce(self, partials: Sequence[tuple[int, NDArray[np.uint64]]]) -> RuleOutcome:
        """One violation per cell of a band that differs, and one per lost tag."""
        profile = self._profile
        wanted = checksums.cells_read(profile.checksums or ())
        cells = checksums.empty_cells(profile.count, profile.width, profile.height)
        for _, part in partials:
            if part.shape == cells.shape:
                cells += part
        if wanted.shape != cells.shape:
            msg = "the checksums of ingest are of another grid: stage it again"
            raise RuleError(msg)
        places = np.argwhere(wanted != cells)
        tags = self._lost_tags()
        violations = Violations.concat(
            [
                Violations.build(
                    np.full(len(places), -1),
                    [
                        f"band {b + 1}: staged pixels or mask are not those that were read"
                        for b in places[:, 0].tolist()
                    ],
                    geometry=self._outlines(places),
                ),
                Violations.build(np.full(len(tags), -1), tags),
            ]
        )
        pixels = sum(n for n, _ in partials)
        message = (
            f"{violations.reasons[0]}"
            + (f", and {len(violations) - 1} more" if len(violations) > 1 else "")
            if len(violations)
            else f"{pixels} pixels of {profile.count} bands, masks and tags are as they were read"
        )
        lost = tuple(n for n in profile.notes if "not carried over" in n)
        return RuleOutcome(checked=pixels, violations=violations, message=message, notes=lost)

    def _lost_tags(self) -> list[str]:
        """Tags of the source that the staged raster lost since ingest looked."""
        profile = self._profile
        staged = cast("RasterReader", self.context.data).tags()
        said = "\n".join(profile.notes)
        return [
            f"tag {key}: staged is {staged.get(key)!r}, read was {value!r}"
            for key, value in profile.tags.items()
            if staged.get(key) != value
            and f"tag /{key} of the dataset not carried over" not in said
        ]

    def _outlines(self, places: NDArray[np.int64]) -> NDArray[np.object_]:
        """(n,) outlines of cells (band, row, column) in the CRS of the raster."""
        profile = self._profile
        side = checksums.cell_side(profile.width, profile.height)
        top, left = places[:, 1] * side, places[:, 2] * side
        bottom = np.minimum(top + side, profile.height)
        right = np.minimum(left + side, profile.width)
        a, b, c, d, e, f = profile.transform
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        rings = [(a * x + b * y + c, d * x + e * y + f) for x, y in corners]
        return np.asarray(shapely.polygons(np.stack([np.stack(r, -1) for r in rings], axis=1)))

    @property
    def _profile(self) -> RasterProfile:
        return cast("RasterProfile", self.context.data.profile)
