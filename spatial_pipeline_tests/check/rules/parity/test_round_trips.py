"""What a format does not keep, found by comparing with what a format might give back."""

import dataclasses
import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import Point, box

from spatial_pipeline.check.rules.parity import round_trips
from spatial_pipeline.contract.rules.parity import RoundTrips
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.agreement import said
from spatial_pipeline_tests.support import memory_vector, run_rule


def judged(data, *back, **parameters):
    return run_rule(RoundTrips(format="GPKG", **parameters), data, *back, key=("id",))


def listed(result):
    return [(v.keys, v.reason) for v in result.sample]


def layer(points, crs="EPSG:32633", rows=None, **columns):
    return memory_vector(points, columns, crs=crs, rows=rows, batch_size=2)


POINTS = [Point(0, 0), Point(1, 1), Point(2, 2)]


def test_nothing_changed():
    here = layer(POINTS, id=[1, 2, 3], name=["a", None, "c"])
    result, violations = judged(here, layer(POINTS, id=[1, 2, 3], name=["a", None, "c"]))
    assert result.status is Status.PASSED
    assert (result.checked, result.message) == (3, "GPKG keeps 3 features unchanged")
    assert not len(violations)


def test_rows_belong_together_by_their_order_in_the_source():
    # Staged in another order, and with rows left out by a condition of the source.
    here = layer([POINTS[2], POINTS[0], POINTS[1]], id=[3, 1, 2], rows=[9, 2, 4])
    there = layer([POINTS[1], POINTS[2], POINTS[0]], id=[2, 3, 1], rows=[1, 2, 0])
    assert judged(here, there)[0].passed
    wrong = layer([POINTS[1], POINTS[2], POINTS[0]], id=[2, 3, 1], rows=[0, 1, 2])
    assert judged(here, wrong)[0].violations == 6


def test_every_change():
    here = memory_vector(
        [box(0, 0, 4, 4), Point(1, 1), Point(2, 2), None],
        {
            "id": [1, 2, 3, 4],
            "flag": [True, False, None, True],
            "population_2020": [1, 2, 3, 4],
            "when": pa.array([dt.datetime(2024, 1, 1, 1, 1, 1, 5)] * 4, pa.timestamp("us")),  # noqa: DTZ001
            "tags": pa.array([["a"], [], None, ["b"]]),
            "gone": ["x"] * 4,
        },
    )
    there = memory_vector(
        [box(0, 0, 4, 4), Point(1, 2), shapely.MultiPoint([(2, 2)]), Point(5, 5)],
        {
            "id": [1, 2, 3, 4],
            "flag": pa.array([1, 0, 0, 1], pa.int16()),
            "population": [1, 2, 3, 5],
            "when": pa.array([dt.datetime(2024, 1, 1, 1, 1, 1)] * 4, pa.timestamp("ms")),  # noqa: DTZ001
            "tags": ['["a"]', "[]", None, '["b"]'],
        },
    )
    result, violations = judged(here, there)
    assert result.status is Status.FAILED
    assert result.message == (
        "column flag: bool, read back as int16; "
        "column population_2020: read back as population; "
        "column when: timestamp[us], read back as timestamp[ms]; "
        "column tags: list<item: string>, read back as string; "
        "column gone: lost; "
        "geometry: 3 changed (largest 1 m); "
        "column flag: 1 changed; column population_2020: 1 changed; column when: 4 changed; "
        "values not compared, their types have nothing in common: tags"
    )
    assert result.checked == 4
    assert result.violations == 5 + 3 + 1 + 1 + 4
    found = listed(result)
    assert (((2,),), "geometry: moved") in found
    assert (((3,),), "geometry: Point, when read back MultiPoint") in found
    assert (((4,),), "geometry: null here") in found
    assert (((3,),), "column flag: null, read back as 0") in found
    assert (((4,),), "column population_2020: 4, read back as 5") in found
    assert ((), "column gone: lost") in found
    moved = list(violations.reasons).index("geometry: moved")
    assert violations.geometry[moved].equals(shapely.LineString([(1, 2), (1, 1)]))
    assert violations.measure[moved] == 1


def test_known_losses_are_accepted():
    here = layer(POINTS, id=[1, 2, 3], flag=[True, False, True], gone=[1, 2, 3])
    there = layer([Point(9, 9)] * 3, id=[1, 2, 3], flag=[1, 0, 7])
    accepted = ["flag", "gone", "geometry"]
    result, _ = judged(here, there, ignore=accepted)
    assert result.passed
    assert result.message.endswith("accepted without a look: flag, gone, geometry")
    for name in accepted:
        rest = [a for a in accepted if a != name]
        result, _ = judged(here, there, ignore=rest)
        assert result.status is Status.FAILED
        assert all(name in reason for _, reason in listed(result))
    more = layer(POINTS, id=[1, 2, 3], flag=[True, False, True], gone=[1, 2, 3], added=[0] * 3)
    assert listed(judged(here, more)[0]) == [((), "column added: added")]
    assert judged(here, more, ignore=["added"])[0].passed
    result, _ = judged(here, there, ignore=["flagg"])
    assert (result.status, result.message) == (Status.ERROR, "ignore names no column: flagg")


def test_a_tolerance():
    here = layer([Point(0, 0), shapely.MultiPoint([(1, 1)])], id=[1, 2])
    there = layer([Point(0, 0.1), Point(1, 1)], id=[1, 2])
    assert judged(here, there)[0].violations == 2
    assert judged(here, there, tolerance=0.05)[0].violations == 1
    assert judged(here, there, tolerance=0.1)[0].passed
    degrees = layer([Point(0, 0)], crs="EPSG:4326", id=[1])
    assert "in degrees" in judged(degrees, degrees, tolerance=0.1)[0].message


def test_features_that_are_missing():
    here = layer(POINTS, id=[1, 2, 3])
    result, _ = judged(here, layer(POINTS[:2], id=[1, 2]))
    assert listed(result) == [((), "count: 3 written, 2 read back")]
    assert "values not compared" in result.message


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        # As many new names as old ones: by their place.
        (
            ["population_2020", "population_2021"],
            ["population", "populati_1"],
            {"population_2020": "population", "population_2021": "populati_1"},
        ),
        (["Name"], ["name"], {"Name": "name"}),
        # Else by their beginnings.
        (["a_list", "population_2020"], ["populati_1"], {"population_2020": "populati_1"}),
        (["long_name_1"], ["other", "long_name"], {"long_name_1": "long_name"}),
        (["a"], [], {}),
        (["a", "b"], ["123"], {}),
    ],
)
def test_columns_under_another_name(ours, theirs, expected):
    here = layer([Point(0, 0)], id=[1], **{n: [1] for n in ours})
    there = layer([Point(0, 0)], id=[1], **{n: [1] for n in theirs})
    reasons = {reason for _, reason in listed(judged(here, there)[0])}
    assert reasons == (
        {f"column {a}: read back as {b}" for a, b in expected.items()}
        | {f"column {a}: lost" for a in ours if a not in expected}
        | {f"column {b}: added" for b in theirs if b not in expected.values()}
    )


def test_types_that_differ_by_width_of_text_only():
    here = layer([Point(0, 0)], id=[1], a=pa.array(["x"]), b=pa.array([[1]]))
    there = layer(
        [Point(0, 0)], id=[1], a=pa.array(["x"], pa.large_string()),
        b=pa.array([[1]], pa.large_list(pa.field("x", pa.int64(), nullable=False))),
    )  # fmt: skip
    assert judged(here, there)[0].passed
    narrow = layer([Point(0, 0)], id=pa.array([1], pa.int32()), a=["x"], b=[[1]])
    assert listed(judged(here, narrow)[0]) == [((), "column id: int64, read back as int32")]


def test_the_crs():
    here, there = layer(POINTS, id=[1, 2, 3]), layer(POINTS, crs=None, id=[1, 2, 3])
    result, _ = judged(here, there)
    reason = "CRS: WGS 84 / UTM zone 33N (EPSG:32633), read back as none"
    assert listed(result) == [((), reason)]
    assert listed(judged(there, here)[0]) == [
        ((), "CRS: none, read back as WGS 84 / UTM zone 33N (EPSG:32633)")
    ]
    # Another name for the same CRS is no change.
    renamed = layer(POINTS, crs="+proj=utm +zone=33 +datum=WGS84 +units=m", id=[1, 2, 3])
    assert judged(here, renamed)[0].passed
    transformed = layer([Point(15, 45)] * 3, crs="EPSG:4326", id=[1, 2, 3])
    result, _ = judged(
        layer([Point(500000, 4982950.400)] * 3, id=[1, 2, 3]), transformed, tolerance=0.1
    )
    assert [reason for _, reason in listed(result)] == [
        "CRS: WGS 84 / UTM zone 33N (EPSG:32633), read back as WGS 84 (EPSG:4326)"
    ]
    assert "transformed from WGS 84 to" in result.message


def test_a_crs_that_leads_nowhere():
    moon = "+proj=longlat +R=1737400 +no_defs"
    result, _ = judged(layer(POINTS, id=[1, 2, 3]), layer(POINTS, crs=moon, id=[1, 2, 3]))
    assert result.violations == 1
    assert "geometries not compared: no transformation" in result.message


def test_tables_and_what_is_left_of_layers():
    table = memory_vector([None], {"id": [1]}, geometry_column=None)
    assert judged(table, table)[0].passed
    here = layer([Point(0, 0)], id=[1])
    assert listed(judged(here, table)[0]) == [((), "geometry: lost")]
    assert judged(here, table, ignore=["geometry"])[0].passed


def test_a_condition():
    here = layer(POINTS, id=[1, 2, 3], name=["a", "b", "c"])
    there = layer(POINTS, id=[1, 2, 3], name=["x", "b", "x"])
    result, _ = judged(here, there, where="id < 3")
    assert (result.checked, result.violations) == (2, 1)


def test_nothing_to_write_and_nothing_read_back():
    nothing = memory_vector([], {"id": pa.array([], pa.int64())})
    assert judged(nothing, nothing)[0].passed
    result, _ = judged(nothing)
    assert (result.status, result.message) == (
        Status.ERROR,
        "nothing was read back from GPKG",
    )


def test_geometries_that_could_not_be_staged():
    here = memory_vector([None, Point(0, 0)], {"id": [1, 2]}, undecodable=(0,))
    result, _ = judged(here, memory_vector([None, Point(0, 0)], {"id": [1, 2]}))
    assert result.passed
    assert result.message.endswith("1 geometry that does not decode not judged")


values = st.lists(
    st.tuples(st.sampled_from([None, *POINTS]), st.one_of(st.none(), st.integers(0, 2))), max_size=8
)


@settings(max_examples=25, deadline=None)
@given(values, st.data())
def test_against_a_loop_over_the_rows(rows, data):
    back = [data.draw(st.sampled_from([r, (r[0], 5), (Point(7, 7), r[1])])) for r in rows]
    expected = sum((a[0] != b[0]) + (a[1] != b[1]) for a, b in zip(rows, back, strict=True))
    answers = []
    for batch_size, chunk, jobs in ((100, 100, 1), (1, 1, 2), (3, 2, 2)):
        order = data.draw(st.permutations(range(len(rows))))
        sides = [
            memory_vector(
                [side[i][0] for i in order],
                {"v": pa.array([side[i][1] for i in order], pa.int64())},
                rows=np.array(order, dtype=np.int64),
                batch_size=batch_size,
            )
            for side in (rows, back)
        ]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(round_trips, "CHUNK", chunk)
            result, violations = run_rule(RoundTrips(format="X"), *sides, jobs=jobs)
        answers.append((dataclasses.replace(result, elapsed_s=0.0), said(violations)))
    assert answers[0][0].violations == expected
    assert all(a == answers[0] for a in answers)
