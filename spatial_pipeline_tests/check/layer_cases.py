"""Laws that tile rules and overlay rules keep, and the cases of one rule to try them with.

As ``rule_cases``, for rules about several features: a case is a layer, and the other layer where
the rule has one; the oracle says the violations of whole layers.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules import Rule
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline_tests.check.agreement import CUTS
from spatial_pipeline_tests.check.engine.test_remote import Elsewhere
from spatial_pipeline_tests.check.engine.test_remote import said as said_by
from spatial_pipeline_tests.check.geometry.shapes import geometries
from spatial_pipeline_tests.check.incremental.test_feature_cache import Kept, checked
from spatial_pipeline_tests.support import memory_vector, run_rule

Expected = tuple[tuple[int, ...], str, Any, float | None]
"""Rows of this layer, then of the other one; reason, WKT or shape of the defect, measure."""
Layer = dict[int, Any]
"""Row → geometry that can be judged."""
Oracle = Callable[[Any, Layer, Layer], Sequence[Expected]]
DIGITS = 6
SINGLE = geometries().filter(lambda g: g.geom_type != "GeometryCollection")
"""Every type but collections; many are invalid."""


@dataclass(frozen=True)
class LayerCases:
    """Cases of one rule.

    Attributes:
        rule: the rule with the parameters of the cases.
        passes: WKT of layers without a violation, and of the other layers.
        fails: the same with their violations.
        oracle: says the violations of the features that can be judged, slowly.
        judges: dimensions of the features that are judged.
        against: the same of the other layer.
        shapes: strategy of features.
        theirs: strategy of features of the other layer; the same unless given.
        tolerances: names of parameters of which a larger value never finds more.
        searches: those of which a larger value never finds less.
        columns: attribute columns: values, which rows take in turn.
        other_columns: the same of the other layer.
        unjudged: WKT of geometries of other kinds.
        crs: CRS of the cases.
        recalls: facts about unchanged features are kept, unless attributes decide.

    """

    rule: Rule
    passes: Sequence[tuple[Sequence[str], Sequence[str]]]
    fails: Sequence[tuple[Sequence[str], Sequence[str], Sequence[Expected]]]
    oracle: Oracle
    judges: frozenset[int] = frozenset({0, 1, 2})
    against: frozenset[int] = frozenset({0, 1, 2})
    shapes: Any = SINGLE
    theirs: Any = None
    tolerances: Sequence[str] = ()
    searches: Sequence[str] = ()
    columns: dict[str, Sequence[Any]] = field(default_factory=dict)
    other_columns: dict[str, Sequence[Any]] = field(default_factory=dict)
    unjudged: Sequence[str] = ()
    crs: str = "EPSG:32633"
    recalls: bool = True

    @property
    def itself(self) -> bool:
        return not self.rule.others()

    def data(
        self, shapes: Sequence[Any], crs: str | None = None, batch: int = 3, **more: Any
    ) -> Any:
        return memory_vector(
            shapes,
            _taken(self.columns, len(shapes)) | more.pop("columns", {}),
            crs or self.crs,
            batch_size=batch,
            **more,
        )

    def others(self, shapes: Sequence[Any], crs: str | None = None) -> tuple[Any, ...]:
        if self.itself:
            return ()
        return (
            memory_vector(
                shapes, _taken(self.other_columns, len(shapes)), crs or self.crs, batch_size=3
            ),
        )

    def run(
        self, shapes: Sequence[Any], others: Sequence[Any], rule: Rule | None = None, **options: Any
    ) -> Any:
        """The result and the violations, the same for every cut and number of threads."""
        answers = []
        crs = options.get("crs")
        for batch, piece, jobs in CUTS:
            data = self.data(shapes, batch=batch, **options)
            result, found = run_rule(
                rule or self.rule, data, *self.others(others, crs), tile_size=piece, jobs=jobs
            )
            answers.append((dataclasses.replace(result, elapsed_s=0.0), plain(found)))
        assert all(answer == answers[0] for answer in answers)
        return answers[0]

    def once(self, shapes: Sequence[Any], others: Sequence[Any], rule: Rule | None = None) -> Any:
        result, found = run_rule(
            rule or self.rule, self.data(shapes), *self.others(others), tile_size=2, jobs=2
        )
        return result, plain(found)

    def judged(self, shapes: Sequence[Any], dimensions: frozenset[int]) -> Layer:
        """Features that the rule can judge."""
        return {
            i: shape
            for i, shape in enumerate(shapes)
            if shape is not None
            and not shape.is_empty
            and np.isfinite(shapely.get_coordinates(shape)).all()
            and shapely.get_dimensions(shape) in dimensions
            and shape.is_valid
        }

    def expected(
        self, shapes: Sequence[Any], others: Sequence[Any], kept: Callable[[int], bool] = bool
    ) -> list[Expected]:
        own = self.judged(shapes, self.judges)
        if kept is not bool:
            own = {row: shape for row, shape in own.items() if kept(row)}
        theirs = own if self.itself else self.judged(others, self.against)
        return told(self.oracle(self.rule, own, theirs))

    @property
    def layers(self) -> list[tuple[list[Any], list[Any]]]:
        """All cases as shapes."""
        return [
            ([shapely.from_wkt(w) for w in own], [shapely.from_wkt(w) for w in other])
            for own, other, *_ in (*self.passes, *self.fails)
        ]


def _taken(columns: dict[str, Sequence[Any]], count: int) -> dict[str, list[Any]]:
    return {name: [v[i % len(v)] for i in range(count)] for name, v in columns.items()}


def rounded(shape: Any) -> str | None:
    """WKT of a shape in normal form, without the noise of overlays."""
    if shape is None:
        return None
    shape = shapely.from_wkt(shape) if isinstance(shape, str) else shape
    if shapely.get_dimensions(shape) == 1:
        # The shortest line between two that touch has no length.
        shape = _straight(shape) if shape.length else shapely.Point(shape.coords[0])
    near = shapely.transform(shape, lambda xy: np.round(xy, DIGITS) + 0.0)
    return str(shapely.normalize(near).wkt)


def _straight(lines: Any) -> Any:
    """The longest straight stretches of lines: these do not depend on where a ring begins."""
    merged = shapely.line_merge(shapely.unary_union(lines))
    paths = [shapely.simplify(part, 0).coords for part in shapely.get_parts(merged) if part.length]
    return shapely.MultiLineString([pair for path in paths for pair in pairwise(path)])


def told(expected: Sequence[Expected]) -> list[Expected]:
    """Violations in comparable form and order."""
    return sorted(
        (
            (rows, reason, rounded(shape), None if size is None else round(float(size), DIGITS))
            for rows, reason, shape, size in expected
        ),
        key=repr,
    )


def plain(found: Any) -> list[Expected]:
    """Violations of a run in the same form."""
    return told(
        [
            (
                tuple(int(value) for key in found.keys[i] for value in key),
                found.reasons[i],
                found.geometry[i],
                None if np.isnan(found.measure[i]) else found.measure[i],
            )
            for i in range(len(found))
        ]
    )


def _passes(cases: LayerCases) -> None:
    for (own, other), _ in zip(cases.layers, cases.passes, strict=False):
        result, violations = cases.run(own, other)
        assert (result.status, result.checked, violations) == (Status.PASSED, len(own), [])


def _fails(cases: LayerCases) -> None:
    layers = cases.layers[len(cases.passes) :]
    for (own, other), (_, _, expected) in zip(layers, cases.fails, strict=True):
        result, violations = cases.run(own, other)
        assert result.status is Status.FAILED
        assert violations == told(expected)


def _leaves_out(cases: LayerCases) -> None:
    with np.errstate(all="ignore"):
        nan = shapely.linestrings([[0.0, 0.0], [np.nan, 1.0]])
    odd = [
        None,
        shapely.Polygon(),
        b"\x01",
        nan,
        shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)]),
    ]
    kinds = [shapely.from_wkt(w) for w in cases.unjudged]
    own, other = cases.layers[0]
    rows = _taken(cases.columns, len(own))
    data = memory_vector([*own, *odd, *kinds], _more(rows, len(odd) + len(kinds)), cases.crs,
                         batch_size=2, undecodable=(len(own) + 2,))  # fmt: skip
    others = () if cases.itself else cases.others([*other, None, shapely.Polygon(), nan, odd[-1]])
    result, found = run_rule(cases.rule, data, *others, tile_size=2)
    assert (result.status, result.checked, plain(found)) == (Status.PASSED, len(own), [])
    assert result.message.count(" not judged") >= 3 + (not cases.itself)
    assert not kinds or cases.run(kinds, other)[0].status is Status.ERROR
    assert cases.run([], other)[0].status is Status.PASSED


def _more(columns: dict[str, list[Any]], count: int) -> dict[str, list[Any]]:
    return {name: values + values[:1] * count for name, values in columns.items()}


def _drawn(cases: LayerCases, least: int = 0) -> Any:
    own = st.lists(cases.shapes | st.none(), min_size=least, max_size=6)
    theirs = cases.shapes if cases.theirs is None else cases.theirs
    other = st.just([]) if cases.itself else st.lists(theirs | st.none(), max_size=5)
    return st.tuples(own, other) | st.sampled_from(cases.layers)


def _agrees(cases: LayerCases) -> None:
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(_drawn(cases))
    def oracle(drawn: Any) -> None:
        result, violations = cases.once(*drawn)
        assert violations == cases.expected(*drawn)
        judged = len(cases.judged(drawn[0], cases.judges))
        assert result.checked == judged
        assert result.status is not Status.ERROR or not judged

    oracle()


def _bounded(cases: LayerCases) -> None:
    names = [(n, True) for n in cases.tolerances] + [(n, False) for n in cases.searches]

    @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
    @given(_drawn(cases, 1), st.floats(0.01, 4), st.floats(0.01, 4))
    def monotone(drawn: Any, one: float, other: float) -> None:
        for name, forgives in names:
            whole = isinstance(getattr(cases.rule, name), int)
            values = [math.ceil(v) if whole else v for v in sorted((one, other))]
            small, large = (
                len(cases.once(*drawn, cases.rule.model_copy(update={name: value}))[1])
                for value in values
            )
            assert small >= large if forgives else small <= large

    if names:
        monotone()


def _where(cases: LayerCases) -> None:
    rule = cases.rule.model_copy(update={"where": "chosen = 1"})
    for own, other in cases.layers:
        chosen = {"chosen": [int(i != 0) for i in range(len(own))]}
        result, violations = cases.run(own, other, rule, columns=chosen)
        assert result.status is not Status.ERROR
        assert violations == cases.expected(own, other, lambda row: row != 0)


def _in_degrees(cases: LayerCases) -> None:
    for own, other in cases.layers:
        result, violations = cases.run(own, other, crs="EPSG:4326")
        assert violations == cases.run(own, other)[1]
        assert result.checked == len(own)


def _elsewhere(cases: LayerCases) -> None:
    for own, other in cases.layers:
        data, others, there = cases.data(own, batch=2), cases.others(other), Elsewhere()
        here = said_by(data, [cases.rule], others)
        assert here[0][0].status is not Status.ERROR
        assert said_by(data, [cases.rule], others, remote=there) == here
        assert there.asked


def _recalls(cases: LayerCases) -> None:
    own = [s for layer, _ in cases.layers for s in layer]
    other = [s for _, layer in cases.layers for s in layer]
    far = [shapely.transform(s, lambda xy: xy + 100.0) for s in own]
    # One of the other layer is invalid, which is to be noted again each time.
    kept, others = None, cases.others([*other, shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])])
    for changed in range(len(own) + 1):
        edited = own[: len(own) - changed] + [far[-1]] * bool(changed) + far
        data = cases.data(edited, batch=4)
        kept = Kept(data, kept)
        found = checked([cases.rule], data, kept, others=others)
        assert found[0][0].status is not Status.ERROR
        assert found == checked([cases.rule], data, others=others)
        # Attributes decide: then nothing is recalled.
        assert kept.hits == (cases.recalls and not cases.rule.columns() and changed > 0)


def _without_geometry(cases: LayerCases) -> None:
    columns = _taken(cases.columns, 1) or {"id": [1]}
    data = memory_vector([None], columns, geometry_column=None)
    data.everything = dataclasses.replace(data.everything, wkb=None)
    (result, _), *_ = checked([cases.rule], data, others=cases.others([]))
    assert result.status is Status.ERROR


LAWS = {
    law.__name__.strip("_"): law
    for law in (
        _passes,
        _fails,
        _leaves_out,
        _agrees,
        _bounded,
        _where,
        _in_degrees,
        _elsewhere,
        _recalls,
        _without_geometry,
    )
}


def laws(cases: LayerCases) -> Callable[[str], None]:
    """One test for each law."""

    @pytest.mark.parametrize("law", LAWS)
    def test_laws(law: str) -> None:
        LAWS[law](cases)

    test_laws.cases = cases  # type: ignore[attr-defined]
    return test_laws
