from spatial_pipeline.contract.rules.nodes import MustCoincideWith
from spatial_pipeline_tests.check.layer_cases import laws
from spatial_pipeline_tests.check.rules.topology.placed import placed

test_exactly = laws(
    placed(
        MustCoincideWith,
        "no point there",
        lambda shape: [shape],
        ("POINT (2 2)", ["POINT (2 2)"]),
        ("POINT (1 1)", ["POINT (2 2)"], "POINT (1 1)", None),
    )
)
test_nearly = laws(
    placed(
        MustCoincideWith,
        "no point there",
        lambda shape: [shape],
        ("POINT (2 0.5)", ["POINT (2 0)"]),
        ("POINT (2 1)", ["POINT (2 0)"], "POINT (2 1)", 1),
        tolerance=0.5,
    )
)
