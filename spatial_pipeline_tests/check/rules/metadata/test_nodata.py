import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.raster_metadata import Nodata
from spatial_pipeline_tests.check.rules.metadata.raster_files import NUMBERS, raster_file
from spatial_pipeline_tests.check.rules.metadata.rasters import banded
from spatial_pipeline_tests.support import run_rule


@pytest.mark.parametrize(
    ("promised", "declared", "data_type", "passes"),
    [
        (None, None, "uint8", True),
        (None, 0.0, "uint8", False),
        (None, "nan", "float32", False),
        (255, 255.0, "uint8", True),
        (255, None, "uint8", False),
        (255, 254.0, "uint8", False),
        (math.nan, "nan", "float32", True),
        (math.nan, 0.0, "float32", False),
        (math.nan, None, "float32", False),
        (0, "nan", "float32", False),
        (-9999, -9999.0, "int16", True),
        (0.1, float(np.float32(0.1)), "float32", True),
        (0.1, float(np.float32(0.1)), "float64", False),
        (-1e300, -1e300, "float64", True),
        (1e300, 1.0, "float32", False),
        (math.inf, "inf", "float32", True),
        (-math.inf, "inf", "float32", False),
    ],
)
def test_nodata(promised, declared, data_type, passes):
    result, violations = run_rule(Nodata(equals=promised), banded((data_type, declared)))
    assert result.passed is passes
    assert len(violations) == (not passes)


def test_nodata_names_the_bands():
    data = banded(("uint8", 255.0), ("uint8", None), ("float32", "nan"))
    _, violations = run_rule(Nodata(equals=255), data)
    assert violations.reasons.tolist() == [
        "band 2: no nodata value, expected 255",
        "band 3: nodata nan, expected 255",
    ]
    _, violations = run_rule(Nodata(equals=None), data)
    assert violations.reasons.tolist() == [
        "band 1: nodata 255, expected none",
        "band 3: nodata nan, expected none",
    ]


@given(NUMBERS, st.sampled_from([None, 0, 255, math.nan]))
def test_files_have_the_nodata_that_gdal_tells(number, promised):
    file = raster_file(number)
    result, violations = run_rule(Nodata(equals=promised), file.data)
    wrong = sum(found != promised for found in file.truth["nodata"])
    assert (result.passed, len(violations)) == (not wrong, wrong)
