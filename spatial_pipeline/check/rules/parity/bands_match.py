"""bands_match: the bands equal single-band rasters."""

from __future__ import annotations

from spatial_pipeline.check.api import BandPairs, RasterUnderCheck, other_grid, pixel_comparison
from spatial_pipeline.contract.rules.parity import BandsMatch


@pixel_comparison
def evaluate(rule: BandsMatch, raster: RasterUnderCheck) -> BandPairs:
    """Each band with the single-band raster from which it should come."""
    count, others = raster.profile.count, raster.rasters
    obstacles: list[str] = []
    if count != len(others):
        obstacles.append(f"{count} bands, but {len(others)} rasters to compare with")
    for other in others:
        obstacles += other_grid(raster.profile, other.profile)
        if not other.profile.count:
            obstacles.append(f"{other.profile.uri} has no band")
    return BandPairs(
        pairs=[(band, other, 1) for band, other in enumerate(others, 1)],
        obstacles=tuple(obstacles),
        notes=tuple(
            f"{o.profile.uri} has {o.profile.count} bands: the first was compared"
            for o in others
            if o.profile.count > 1
        ),
    )
