"""Laws that every feature rule keeps, and the cases of one rule to try them with.

A test module of a rule says what passes, what fails with which violations, and how to find the
violations of one geometry slowly; ``test_laws = laws(CASES)`` tries everything else.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spatial_pipeline.contract.rules import Rule
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.model.features import decoded
from spatial_pipeline_tests.check.agreement import everywhere, said
from spatial_pipeline_tests.check.engine.test_remote import Elsewhere
from spatial_pipeline_tests.check.engine.test_remote import said as said_by
from spatial_pipeline_tests.check.geometry.shapes import geometries
from spatial_pipeline_tests.check.incremental.test_feature_cache import Kept, checked
from spatial_pipeline_tests.support import memory_vector, run_rule

Expected = tuple[str, str | None, float | None]
"""Reason, WKT of the defect, measure."""
Case = str | bytes | None
"""WKT, WKB (of what has no WKT, or does not decode), or null."""
Oracle = Callable[[Any, Any], Sequence[Expected]]
"""The violations of one geometry that the rule can judge, and None of one that it cannot."""


@dataclass(frozen=True)
class RuleCases:
    """Cases of one rule.

    Attributes:
        rule: the rule with the parameters of the cases.
        passes: WKT of geometries without a violation, each judged; see ``Case``.
        fails: a case, and its violations.
        oracle: says the violations of any geometry slowly; None when the rule cannot judge it.
        tolerances: names of parameters of which a larger value never finds more.
        columns: attribute columns, by name one value for every feature.
        unjudged: cases that the rule does not judge.
        others: those of other kinds: a layer of nothing else proves nothing.
        keeps: what this rule judges and others leave out, of ``null``, ``empty``, ``nan`` and
            ``undecodable``; the oracle gets it, an undecodable one as bytes.
        crs: CRS of the cases.
        anywhere: the CRS does not matter to the rule.
    """

    rule: Rule
    passes: Sequence[Case]
    fails: Sequence[tuple[Case, Sequence[Expected]]]
    oracle: Callable[[Rule, shapely.Geometry], Sequence[Expected] | None]
    tolerances: Sequence[str] = ()
    columns: dict[str, Any] = field(default_factory=dict)
    unjudged: Sequence[Case] = ()
    others: Sequence[str] = ()
    keeps: AbstractSet[str] = frozenset()
    crs: str = "EPSG:32633"
    anywhere: bool = True

    def run(self, shapes: Sequence[Any], rule: Rule | None = None, **options: Any) -> Any:
        columns = {name: [value] * len(shapes) for name, value in self.columns.items()}
        return everywhere(rule or self.rule, shapes, columns, **{"crs": self.crs, **options})

    def once(self, shapes: Sequence[Any], rule: Rule | None = None) -> Any:
        """The answer of one cut: layers of cases say that cuts agree."""
        columns = {name: [value] * len(shapes) for name, value in self.columns.items()}
        data = memory_vector(shapes, columns, self.crs, batch_size=3)
        result, violations = run_rule(rule or self.rule, data, tile_size=2, jobs=2)
        return result, said(violations)

    def expected(self, shapes: Sequence[Any]) -> list[tuple[int, Expected]]:
        return [
            (i, told) for i, shape in enumerate(shapes) for told in (_judged(self, shape) or ())
        ]

    @property
    def layer(self) -> list[shapely.Geometry]:
        """All cases in one layer."""
        return [_shape(w) for w in (*self.passes, *(w for w, _ in self.fails))]


def leaves(shape: Any) -> list[Any]:
    """The simple parts of a geometry, for oracles."""
    inner = getattr(shape, "geoms", None)
    return [shape] if inner is None else [leaf for part in inner for leaf in leaves(part)]


def _shape(case: Case) -> Any:
    if isinstance(case, bytes):
        held = np.empty(1, dtype=object)
        held[0] = case
        (shape,) = decoded(held)
        return case if shape is None else shape
    return case if case is None else shapely.from_wkt(case)


def unfit(shape: Any) -> str | None:
    """Why most rules do not judge a geometry, None when they do."""
    if shape is None:
        return "null"
    if isinstance(shape, bytes):
        return "undecodable"
    if shape.is_empty:
        return "empty"
    return None if np.isfinite(shapely.get_coordinates(shape)).all() else "nan"


def _judged(cases: RuleCases, shape: Any) -> Sequence[Expected] | None:
    why = unfit(shape)
    return cases.oracle(cases.rule, shape) if why is None or why in cases.keeps else None


def _lost(shapes: Sequence[Any]) -> tuple[int, ...]:
    return tuple(i for i, shape in enumerate(shapes) if isinstance(shape, bytes))


def _plain(violations: Sequence[Any]) -> list[tuple[int, Expected]]:
    return [(f[0][0], (f[1], f[2], f[3])) for f in violations]


def _sorted(found: Sequence[tuple[int, Expected]]) -> list[Any]:
    return sorted(found, key=repr)


def _passes(cases: RuleCases) -> None:
    shapes = [_shape(w) for w in cases.passes]
    result, violations = cases.run(shapes)
    assert (result.status, result.checked, violations) == (Status.PASSED, len(shapes), [])


def _fails(cases: RuleCases) -> None:
    for wkt, told in cases.fails:
        result, violations = cases.run([_shape(wkt)])
        assert result.status is Status.FAILED
        expected = [(0, (r, None if g is None else shapely.from_wkt(g).wkt, m)) for r, g, m in told]
        assert _sorted(_plain(violations)) == _sorted(expected)


def _leaves_out(cases: RuleCases) -> None:
    with np.errstate(all="ignore"):
        nan = shapely.linestrings([[0.0, 0.0], [np.nan, 1.0]])
    shapes = [s for s in (None, shapely.Polygon(), b"\x01", nan) if unfit(s) not in cases.keeps]
    shapes += map(_shape, [*cases.unjudged, *cases.others])
    judged = _shape(cases.passes[0])
    result, violations = cases.run([*shapes, judged], undecodable=_lost(shapes))
    assert (result.status, result.checked, violations) == (Status.PASSED, 1, [])
    assert result.message.count(" not judged") >= 1
    of_others = [shapely.from_wkt(w) for w in cases.others]
    assert not of_others or cases.run(of_others)[0].status is Status.ERROR
    assert cases.run([])[0].status is Status.PASSED


def _agrees(cases: RuleCases) -> None:
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(geometries() | st.sampled_from(cases.layer), max_size=6))
    def oracle(shapes: list[Any]) -> None:
        result, violations = cases.once(shapes)
        judged = sum(_judged(cases, s) is not None for s in shapes)
        assert _sorted(_plain(violations)) == _sorted(cases.expected(shapes))
        assert result.checked == judged
        # A layer without anything of its kind proves nothing.
        assert result.status is not Status.ERROR or not judged

    oracle()


def _tolerates(cases: RuleCases) -> None:
    @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        st.lists(geometries() | st.sampled_from(cases.layer), min_size=1, max_size=5),
        st.floats(0, 50),
        st.floats(0, 50),
    )
    def monotone(shapes: list[Any], one: float, other: float) -> None:
        for name in cases.tolerances:
            small, large = (
                cases.rule.model_copy(update={name: value}) for value in sorted((one, other))
            )
            few, many = cases.once(shapes, large)[1], cases.once(shapes, small)[1]
            assert len(few) <= len(many)

    if cases.tolerances:
        monotone()


def _where(cases: RuleCases) -> None:
    shapes = cases.layer
    columns = {n: [v] * len(shapes) for n, v in cases.columns.items()}
    chosen = [i % 2 for i in range(len(shapes))]
    rule = cases.rule.model_copy(update={"where": "chosen = 1"})
    _, violations = everywhere(rule, shapes, {**columns, "chosen": chosen}, crs=cases.crs)
    expected = [(i, told) for i, told in cases.expected(shapes) if chosen[i]]
    assert _sorted(_plain(violations)) == _sorted(expected)


def _in_degrees(cases: RuleCases) -> None:
    if not cases.anywhere:
        return
    result, violations = cases.run(cases.layer, crs="EPSG:4326")
    plain = [(row, told[1:]) for row, told in _plain(violations)]
    here = [(row, told[1:]) for row, told in cases.expected(cases.layer)]
    assert _sorted(plain) == _sorted(here)
    assert result.checked == len(cases.layer)


def _elsewhere(cases: RuleCases) -> None:
    columns = {n: [v] * len(cases.layer) for n, v in cases.columns.items()}
    data, there = memory_vector(cases.layer, columns, cases.crs, batch_size=2), Elsewhere()
    assert said_by(data, [cases.rule], remote=there) == said_by(data, [cases.rule])
    assert there.asked


def _recalls(cases: RuleCases) -> None:
    shapes, kept = cases.layer * 3, None
    columns = {n: [v] * len(shapes) for n, v in cases.columns.items()}
    for changed in (0, 1, 2):
        edited = [shapes[-1 - i] if i < changed else s for i, s in enumerate(shapes)]
        data = memory_vector(edited, columns, cases.crs, batch_size=4)
        kept = Kept(data, kept)
        assert checked([cases.rule], data, kept) == checked([cases.rule], data)


def _without_geometry(cases: RuleCases) -> None:
    columns = {n: [v] for n, v in cases.columns.items()} or {"id": [1]}
    data = memory_vector([None], columns, geometry_column=None)
    data.everything = dataclasses.replace(data.everything, wkb=None)
    (result, _), *_ = checked([cases.rule], data)
    assert result.status is Status.ERROR


LAWS = {
    law.__name__.strip("_"): law
    for law in (
        _passes,
        _fails,
        _leaves_out,
        _agrees,
        _tolerates,
        _where,
        _in_degrees,
        _elsewhere,
        _recalls,
        _without_geometry,
    )
}


def laws(cases: RuleCases) -> Callable[[str], None]:
    """One test for each law."""

    @pytest.mark.parametrize("law", LAWS)
    def test_laws(law: str) -> None:
        LAWS[law](cases)

    test_laws.cases = cases  # type: ignore[attr-defined]
    return test_laws
