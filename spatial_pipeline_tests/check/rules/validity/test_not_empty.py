import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules.validity import NotEmpty
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.agreement import everywhere
from spatial_pipeline_tests.check.rule_cases import RuleCases, laws

BOX = shapely.box(0, 0, 1, 1)
EMPTIES = {
    "POINT EMPTY": "the Point is empty",
    "LINESTRING EMPTY": "the LineString is empty",
    "MULTIPOLYGON EMPTY": "the MultiPolygon is empty",
    "MULTIPOINT (EMPTY, EMPTY)": "the MultiPoint is empty",
    "GEOMETRYCOLLECTION (POLYGON EMPTY)": "the GeometryCollection is empty",
}


def lacking(rule, shape):
    if shape is None:
        return [] if rule.allow_null else [("the geometry is null", None, None)]
    vertices = len(shapely.get_coordinates(shape))
    return [] if vertices else [(f"the {shape.geom_type} is empty", None, None)]


test_laws = laws(
    RuleCases(
        NotEmpty(),
        passes=[BOX.wkt, "MULTIPOINT (EMPTY, (0 0))"],
        fails=[
            (None, [("the geometry is null", None, None)]),
            *((wkt, [(reason, None, None)]) for wkt, reason in EMPTIES.items()),
        ],
        oracle=lacking,
        keeps={"null", "empty", "nan"},
    )
)


def test_null_and_empty_ones_are_found():
    result, violations = everywhere(NotEmpty(), [BOX, None, *shapely.from_wkt(list(EMPTIES))])
    assert [f[:3] for f in violations] == [
        ((1,), "the geometry is null", None),
        *(((i + 2,), reason, None) for i, reason in enumerate(EMPTIES.values())),
    ]
    assert (result.checked, result.violations) == (7, 6)


def test_null_may_be_allowed_and_empty_not():
    _, violations = everywhere(NotEmpty(allow_null=True), [None, shapely.Polygon(), BOX])
    assert [f[0] for f in violations] == [(1,)]


def test_what_does_not_decode_is_there_but_not_judged():
    result, violations = everywhere(NotEmpty(), [b"\x01", BOX, None], undecodable=(2,))
    assert (result.status, result.checked, violations) == (Status.PASSED, 1, [])
    assert result.message == "1 checked; 2 geometries that do not decode not judged"


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.sampled_from([None, BOX, *shapely.from_wkt(list(EMPTIES))]), max_size=8),
    st.booleans(),
)
def test_features_are_judged_one_by_one(geometries, allow_null):
    _, violations = everywhere(NotEmpty(allow_null=allow_null), geometries)
    bad = [i for i, g in enumerate(geometries) if (not allow_null if g is None else g.is_empty)]
    assert [f[0] for f in violations] == [(i,) for i in bad]
