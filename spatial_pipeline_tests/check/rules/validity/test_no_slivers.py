import numpy as np
import shapely

from spatial_pipeline.contract.rules.vertices import NoSlivers
from spatial_pipeline_tests.check.agreement import everywhere
from spatial_pipeline_tests.check.rule_cases import RuleCases, laws
from spatial_pipeline_tests.check.vertex_oracles import of_type

THIN = "POLYGON ((0 0, 100 0, 100 1, 0 1, 0 0))"
THINNESS = 4 * np.pi * 100 / 202**2


def slivers(rule, shape):
    parts = of_type(shape, "Polygon")
    if not parts or not shape.is_valid:
        return None
    sizes = [4 * np.pi * p.area / p.length**2 for p in parts]
    small = [rule.max_area is None or p.area <= rule.max_area for p in parts]
    return [
        ("sliver", p.wkt, s)
        for p, s, ok in zip(parts, sizes, small, strict=True)
        if ok and s <= rule.max_thinness
    ]


UNJUDGED = ["POINT (0 0)", "POLYGON ((0 0, 1 1, 1 0, 0 1, 0 0))"]
test_laws = laws(
    RuleCases(
        NoSlivers(max_thinness=0.5),
        passes=["POLYGON ((0 0, 1 0, 1 1, 0 1, 0 0))"],
        fails=[(THIN, [("sliver", THIN, THINNESS)])],
        oracle=slivers,
        unjudged=UNJUDGED,
    )
)


def test_what_is_large_is_no_sliver():
    shapes = [shapely.from_wkt(THIN), shapely.box(0, 0, 10, 0.1)]
    _, violations = everywhere(NoSlivers(max_thinness=0.5, max_area=99), shapes)
    assert [f[0] for f in violations] == [(1,)]


def test_parts_are_judged_by_themselves():
    both = shapely.MultiPolygon([shapely.box(0, 5, 9, 9), shapely.from_wkt(THIN)])
    _, violations = everywhere(NoSlivers(max_thinness=0.1), [both])
    assert [f[4:] for f in violations] == [(1, -1, -1)]
