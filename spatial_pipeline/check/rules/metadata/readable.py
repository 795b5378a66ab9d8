"""readable: the source opens, every record or block decodes, and every value is kept as it is.

For layers it is a class: records that decode are remembered by feature, as geometries without a
violation are, but a null geometry is a record as well and the profile has violations of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

from spatial_pipeline.check.api import (
    BandWindow,
    RasterUnderCheck,
    RuleOutcome,
    Violations,
    window_rule,
)
from spatial_pipeline.check.base import BatchCheck, evaluates
from spatial_pipeline.check.geometry.unjudged import decoding_error, undecodable
from spatial_pipeline.check.incremental.feature_cache import PLAIN, UNKNOWN, Facts, Remembering
from spatial_pipeline.contract.rules.metadata import Readable
from spatial_pipeline.model.features import FeatureBatch
from spatial_pipeline.model.profile import BrokenBlock, Profile, VectorProfile


def unreadable(profile: Profile) -> RuleOutcome | None:
    """The outcome for a source that could not be read, None when it could."""
    if profile.error is None:
        return None
    layer = (
        f", layer {profile.layer}" if isinstance(profile, VectorProfile) and profile.layer else ""
    )
    reason = f"{profile.uri}{layer}: {profile.error}"
    return RuleOutcome(
        checked=0, violations=Violations.build([-1], reason), passed=False, value=1, message=reason
    )


@evaluates(Readable, kind="vector")
class ReadableVector(BatchCheck[Readable], Remembering):
    """Decodes every staged record again and counts them."""

    def map(self, batch: FeatureBatch) -> tuple[int, Violations]:
        """Records of this batch, and those whose geometry does not decode."""
        bad = np.flatnonzero(undecodable(batch, self.context.data.profile))
        if batch.wkb is None or not len(bad):
            return len(batch), Violations.none()
        reasons = [
            f"geometry does not decode: {decoding_error(batch.wkb[int(i)].as_py())}" for i in bad
        ]
        return len(batch), Violations.build(batch.rows[bad], reasons)

    def reduce(self, partials: Sequence[tuple[int, Violations]]) -> RuleOutcome:
        """Fails for an unreadable source, for every lost geometry and for missing records."""
        profile = self.context.data.profile
        outcome = unreadable(profile)
        if outcome is not None or not isinstance(profile, VectorProfile):
            return outcome or RuleOutcome(checked=0)
        seen = sum(n for n, _ in partials)
        violations = Violations.concat(f for _, f in partials)
        if self.rule.where is None:
            # A geometry with a defect is named once, with its text.
            named = [d.row for d in profile.defects if d.column == profile.geometry_column]
            violations = violations.take(~np.isin(violations.rows[:, 0], named))
            violations = Violations.concat(
                [
                    violations,
                    self._lost(profile, violations),
                    _defects(profile),
                    _count(profile, seen),
                ]
            )
        message = ""
        if len(violations):
            where = f", layer {profile.layer}" if profile.layer else ""
            message = f"{profile.uri}{where}: {violations.reasons[0]}"
            if len(violations) > 1:
                message += f", and {len(violations) - 1} more"
        return RuleOutcome(
            checked=seen, violations=violations, message=message, notes=profile.notes
        )

    def facts(self, batch: FeatureBatch, partial: tuple[int, Violations]) -> Facts:
        """Classes of the features: those whose geometry decodes."""
        classes = np.full(partial[0], PLAIN, dtype=np.uint8)
        classes[shapely.is_missing(batch.geometry)] = UNKNOWN
        return Facts(classes)

    def recalled(
        self, partial: tuple[int, Violations], _positions: NDArray[np.int64], facts: Facts
    ) -> tuple[int, Violations]:
        """The features were read with their piece."""
        return partial[0] + len(facts), partial[1]

    @staticmethod
    def _lost(profile: VectorProfile, found: Violations) -> Violations:
        """Records that ingest could not decode and that no batch or defect has reported."""
        named = [d.row for d in profile.defects if d.column == profile.geometry_column]
        rows: NDArray[np.int64] = np.setdiff1d(
            np.asarray(profile.undecodable, dtype=np.int64), [*found.rows[:, 0], *named]
        )
        return Violations.build(rows, f"geometry does not decode: {decoding_error(None)}")


def _defects(profile: VectorProfile) -> Violations:
    """Values of the source that ingest could not keep."""
    if not profile.defect_count:
        return Violations.none()
    kept = Violations.build([d.row for d in profile.defects], [str(d) for d in profile.defects])
    more = profile.defect_count - len(profile.defects)
    if not more:
        return kept
    return Violations.concat([kept, Violations.build([-1], f"and {more} more values")])


def _count(profile: VectorProfile, seen: int) -> Violations:
    if seen == profile.count:
        return Violations.none()
    return Violations.build([-1], f"{profile.count} records were staged, {seen} can be read")


def conclude_raster(
    rule: Readable, raster: RasterUnderCheck, bands: Mapping[int, Sequence[int]]
) -> RuleOutcome:
    """Fails for an unreadable source, for every broken block and for missing pixels."""
    profile = raster.profile
    outcome = unreadable(profile)
    if outcome is not None:
        return outcome
    violations = broken_blocks(profile.broken_blocks)
    pixels, seen = profile.width * profile.height, sum(bands.get(1, ()))
    if seen != pixels:
        reason = f"{pixels} pixels were staged, {seen} can be read"
        violations = Violations.concat([violations, Violations.build([-1], reason)])
    message = ""
    if len(violations):
        message = f"{profile.uri}: {violations.reasons[0]}"
        if len(violations) > 1:
            message += f", and {len(violations) - 1} more"
    return RuleOutcome(checked=seen, violations=violations, message=message, notes=profile.notes)


@window_rule(conclude_raster, unreadable=True, kind="raster")
def evaluate_raster(rule: Readable, pixels: BandWindow) -> int:
    """Pixels that are read of a band: all bands of a window are read together."""
    return pixels.values.size


def broken_blocks(blocks: Sequence[BrokenBlock]) -> Violations:
    """One violation per block that does not decode: its extent, named by band and place."""
    if not blocks:
        return Violations.none()
    reasons = [
        f"band {b.band}, "
        + (f"overview {b.overview}, " if b.overview else "")
        + f"block row {b.row}, block column {b.column} does not decode: {b.reason}"
        for b in blocks
    ]
    return Violations.build(
        np.full(len(blocks), -1),
        reasons,
        geometry=shapely.box(*np.asarray([b.bounds for b in blocks]).T),
    )
