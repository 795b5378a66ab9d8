import asyncio
import sqlite3
from pathlib import Path

import geopandas
import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.contract.rules.metadata import DeclaredBounds
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.pipeline.batch_check import check_all
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.settings import Settings
from spatial_pipeline_tests.support import memory_vector, run_rule

LINE = [shapely.LineString([(0, 0), (10, 5)])]


def judged(declared, tolerance=0.0, shapes=LINE, **options):
    data = memory_vector(shapes, declared_bounds=declared, **options)
    return run_rule(DeclaredBounds(tolerance=tolerance), data)


def test_bounds_that_are_those_of_the_data():
    assert judged((0, 0, 10, 5))[0].passed
    result, violations = judged((0, -1, 10, 7))
    assert (result.status, result.checked, result.violations) == (Status.FAILED, 4, 2)
    assert violations.reasons.tolist() == [
        "ymax is declared as 7, that of the data is 5",
        "ymin is declared as -1, that of the data is 0",
    ]
    assert violations.measure.tolist() == [2, 1]
    result, _ = judged((0, -1, 10, 7), 2, crs="EPSG:4326")
    assert (result.passed, "the tolerance is in degrees" in result.message) == (True, True)
    assert judged((0, float("nan"), 10, 5), 9)[0].violations == 1


def test_nothing_to_compare():
    assert "declares no bounds" in judged(None)[0].message
    assert judged(None)[0].status is Status.ERROR
    assert judged((0, 0, 1, 1), shapes=[None])[0].passed
    assert judged(None, shapes=[])[0].passed


def test_a_geopackage_whose_extent_is_out_of_date(tmp_path: Path):
    path = tmp_path / "lines.gpkg"
    geopandas.GeoDataFrame(geometry=LINE, crs="EPSG:32633").to_file(path)
    contract = VectorContract.model_validate(
        {"name": "lines", "source": {"uri": str(path)}, "rules": [{"rule": "declared_bounds"}]}
    )

    def result():
        pipeline = Pipeline.of([contract], Settings(store=tmp_path / "store"))
        return asyncio.run(check_all(pipeline, [(contract, None)], None))[0].results[-1]

    assert result().passed
    with sqlite3.connect(path) as database:
        database.execute("UPDATE gpkg_contents SET max_x = 99")
    assert result().message == "xmax is declared as 99, that of the data is 10"


BOUNDS = st.tuples(*[st.floats(-100, 100)] * 4)


@settings(max_examples=30, deadline=None)
@given(BOUNDS, BOUNDS, st.floats(0, 50), st.floats(0, 50))
def test_sides_are_compared_one_by_one(declared, ends, one, other):
    shape = shapely.LineString([ends[:2], ends[2:]])
    found = [judged(declared, t, [shape])[0].violations for t in sorted((one, other))]
    off = np.abs(np.subtract(declared, shape.bounds))
    assert found == [int((off > t).sum()) for t in sorted((one, other))]
    assert found[0] >= found[1]
