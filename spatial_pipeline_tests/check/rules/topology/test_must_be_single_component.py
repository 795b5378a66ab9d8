from spatial_pipeline.contract.rules.networks import MustBeSingleComponent
from spatial_pipeline_tests.check.geometry.shapes import lines
from spatial_pipeline_tests.check.layer_cases import LayerCases, laws


def ends(line):
    return line.coords[0], line.coords[-1]


def oracle(rule, own, _other):
    groups = []
    for row, line in own.items():
        mine = [g for g in groups if g[1] & set(ends(line))]
        groups = [g for g in groups if g not in mine]
        rows, places = {row}, set(ends(line))
        for some, held in mine:
            rows, places = rows | some, places | held
        groups.append((rows, places))
    ranked = sorted((g[0] for g in groups), key=lambda rows: (-len(rows), min(rows)))
    for rows in ranked[rule.max_components :]:
        for row in rows:
            yield (row,), "not connected", own[row], len(rows)


ALONE = "LINESTRING (5 5, 6 6)"
test_laws = laws(
    LayerCases(
        MustBeSingleComponent(),
        passes=[(["LINESTRING (0 0, 1 0)", "LINESTRING (2 0, 1 0)", "LINESTRING (2 0, 2 2)"], [])],
        fails=[
            (
                ["LINESTRING (0 0, 1 0)", ALONE, "LINESTRING (2 0, 1 0)"],
                [],
                [((1,), "not connected", ALONE, 1)],
            ),
            (["LINESTRING (0 0, 1 0)", ALONE], [], [((1,), "not connected", ALONE, 1)]),
        ],
        oracle=oracle,
        tolerances=["max_components"],
        judges=frozenset({1}),
        shapes=lines(2),
        unjudged=["POINT (0 0)"],
        recalls=False,
    )
)
