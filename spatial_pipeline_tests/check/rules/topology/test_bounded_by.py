import itertools

import shapely

from spatial_pipeline.contract.rules.base import OtherSource
from spatial_pipeline.contract.rules.boundaries import BoundaryBetween, BoundedBy
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.layer_cases import LayerCases, laws
from spatial_pipeline_tests.check.rules.topology.covered import BOX, BOXES, PATHS, covered
from spatial_pipeline_tests.support import memory_vector, run_rule

OTHER = OtherSource(uri="lines")
RIGHT = "POLYGON ((2 0, 4 0, 4 2, 2 2, 2 0))"
LINES = ["fence", "hedge"]
KINDS = ["parcel", "road", None]


test_laws_of_whole_boundaries = laws(
    covered(
        BoundedBy,
        shapely.boundary,
        lambda line: line,
        (BOX, ["LINESTRING (0 0, 2 0, 2 2)", "LINESTRING (2 2, 0 2, 0 -5)"]),
        (BOX, ["LINESTRING (0 0, 2 0, 2 2, 0 2)"], "LINESTRING (0 2, 0 0)", 2),
        judges=2,
        against=1,
    )
)


def oracle(rule, own, other):
    """Shared boundaries of every pair of a parcel and a road, without the fences."""
    fences = shapely.union_all([s for row, s in other.items() if LINES[row % 2] == "fence"])
    for (i, one), (j, two) in itertools.combinations(own.items(), 2):
        if {KINDS[i % 3], KINDS[j % 3]} != {"parcel", "road"}:
            continue
        shared = one.boundary.intersection(two.boundary)
        lines = [p for p in shapely.get_parts(shared) if p.length]
        rest = shapely.line_merge(shapely.union_all(lines).difference(fences))
        parts = [p for p in shapely.get_parts(rest) if p.length > rule.tolerance]
        if parts and one.relate_pattern(two, "****1****"):
            rest = shapely.union_all(parts)
            yield (i, j), "not covered", rest, rest.length


test_laws_between_kinds = laws(
    LayerCases(
        BoundedBy(
            other=OTHER,
            line_where="kind = 'fence'",
            between=BoundaryBetween(a_where="use = 'parcel'", b_where="use = 'road'"),
        ),
        passes=[
            ([BOX, RIGHT], ["LINESTRING (2 -1, 2 3)"]),
            ([BOX, "POLYGON ((3 0, 4 0, 4 2, 3 2, 3 0))", RIGHT], []),
        ],
        fails=[
            (
                [BOX, RIGHT],
                ["LINESTRING (2 0, 2 0.5)", "LINESTRING (2 0, 2 2)"],
                [((0, 1), "not covered", "LINESTRING (2 0.5, 2 2)", 1.5)],
            )
        ],
        oracle=oracle,
        judges=frozenset({2}),
        against=frozenset({1}),
        shapes=BOXES,
        theirs=PATHS,
        tolerances=["tolerance"],
        columns={"use": KINDS},
        other_columns={"kind": LINES},
        unjudged=["POINT (0 0)"],
        recalls=False,
    )
)


def test_a_condition_on_a_missing_column_is_an_error():
    data = memory_vector([shapely.from_wkt(BOX)], {"use": ["parcel"]})
    there = memory_vector([shapely.LineString([(0, 0), (1, 1)])], {"kind": ["fence"]})
    rule = BoundedBy(other=OTHER, line_where="sort = 'fence'")
    result, _ = run_rule(rule, data, there)
    assert result.status is Status.ERROR
