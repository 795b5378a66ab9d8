import json
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.vertices import NoCurves
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.ingest import wkt
from spatial_pipeline.model.profile import VectorProfile
from spatial_pipeline_tests.check.agreement import everywhere
from spatial_pipeline_tests.ingest.sources import staged_vector
from spatial_pipeline_tests.support import memory_vector, run_rule

LINES = [shapely.LineString([(i, 0), (i, 1)]) for i in range(6)]
ARC, ROUND = "CIRCULARSTRING (0 0, 1 1, 2 0)", "CURVEPOLYGON (CIRCULARSTRING (0 0, 2 0, 0 0))"


def test_straight_geometries_pass():
    result, found = everywhere(NoCurves(), [*LINES, None], curves={})
    assert (result.status, result.checked, found) == (Status.PASSED, 6, [])


def test_each_feature_with_a_curve_is_a_violation():
    curves = {"CIRCULARSTRING": (1, 4), "COMPOUNDCURVE, CIRCULARSTRING": (2,)}
    result, found = everywhere(NoCurves(), LINES, curves=curves)
    assert (result.status, result.checked) == (Status.FAILED, 6)
    assert sorted((f[0][0], f[1], f[2]) for f in found) == [
        (1, "curve: CIRCULARSTRING", LINES[1].wkt),
        (2, "curve: COMPOUNDCURVE, CIRCULARSTRING", LINES[2].wkt),
        (4, "curve: CIRCULARSTRING", LINES[4].wkt),
    ]


def test_curved_entities_of_a_drawing_are_told():
    data = memory_vector(LINES, curves={}, drawn_curves=("3 curved entities (ARC) are read",))
    result, violations = run_rule(NoCurves(), data)
    assert result.status is Status.FAILED
    assert violations.reasons.tolist() == ["3 curved entities (ARC) are read"]


def test_versions_of_older_releases_are_an_error():
    result, _ = run_rule(NoCurves(), memory_vector(LINES))
    assert (result.status, "stage it again" in result.message) == (Status.ERROR, True)


@given(st.sets(st.integers(0, 5)), st.sets(st.integers(0, 5)))
@settings(max_examples=20, deadline=None)
def test_exactly_the_rows_of_the_profile(curved, chosen):
    columns = {"chosen": [int(i in chosen) for i in range(6)]}
    rule = NoCurves(where="chosen = 1")
    _, found = everywhere(rule, LINES, columns, curves={"COMPOUNDCURVE": tuple(sorted(curved))})
    assert {f[0][0] for f in found} == curved & chosen


@pytest.mark.parametrize("where", [None, "a > 0"])
def test_ingest_records_the_rows_with_curves(where, tmp_path: Path):
    texts = [ARC, "POINT (1 2)", ROUND, ARC, "MULTIPOINT (0 0)"]
    pyogrio.raw.write(
        str(tmp_path / "a.gpkg"), geometry=np.array([wkt.to_wkb(t) for t in texts], dtype=object),
        geometry_type="Unknown", crs="EPSG:32633", field_data=[np.arange(5)], fields=["a"],
        driver="GPKG",
    )  # fmt: skip
    options = {} if where is None else {"where": where}
    profile, _ = staged_vector(tmp_path / "a.gpkg", tmp_path / "s", **options)
    arcs = (0, 3) if where is None else (3,)
    assert profile.curves == {"CIRCULARSTRING": arcs, "CIRCULARSTRING, CURVEPOLYGON": (2,)}
    assert profile.layers == ("a",)
    assert VectorProfile.from_json(json.loads(json.dumps(profile.to_json()))) == profile
