from spatial_pipeline.contract.rules.validity import SinglePart
from spatial_pipeline_tests.check.rule_cases import RuleCases, laws

TWO = "MULTIPOINT ((0 0), (1 1))"


def parts(_, shape):
    count = len(getattr(shape, "geoms", [shape]))
    return [(f"{count} parts", shape.wkt, float(count))] if count > 1 else []


test_laws = laws(
    RuleCases(
        SinglePart(),
        passes=["POINT (0 0)", "MULTILINESTRING ((0 0, 1 1))", "POLYGON ((0 0, 1 0, 1 1, 0 0))"],
        fails=[(TWO, [("2 parts", TWO, 2)])],
        oracle=parts,
    )
)
