from __future__ import annotations

import re

import pytest

from spatial_pipeline.report.trend import HEIGHT, MARGIN, ChartedVersion, charts

NOW = "2026-03-05T12:00:00+00:00"


def version(day: int, counts: dict[str, int] | None, *, published: bool = False) -> ChartedVersion:
    at = f"2026-03-{day:02d}T00:00:00+00:00"
    time = at if published else None
    checked = counts is not None
    return ChartedVersion(f"v{day}", "held", at, checked, counts or {}, time)


def test_violations_of_each_rule_and_the_age_of_what_readers_see() -> None:
    history = [
        version(1, {"gaps": 0, "overlaps": 4, "crs": 0}, published=True),
        version(2, None),
        version(3, {"gaps": 5, "overlaps": 2, "crs": 0}, published=True),
    ]
    age, gaps, overlaps = charts(history, NOW)
    assert [age.title, gaps.title, overlaps.title] == ["age of published data", "gaps", "overlaps"]
    assert gaps.said == "violations of gaps in the last 2 versions: 0, 5"
    assert (overlaps.last, overlaps.most) == ("2", "4")
    assert overlaps.dots[0][1] == MARGIN
    assert overlaps.dots[1][1] == pytest.approx(HEIGHT / 2)
    assert (age.last, age.most) == ("2.5 days", "2.5 days")
    assert len(re.findall("[ML]", age.path)) == 4


def test_a_rule_without_any_violation_and_a_single_version_have_no_chart() -> None:
    assert charts([version(1, {"gaps": 3})], NOW) == []
    assert charts([version(1, {"gaps": 0}), version(2, {"gaps": 0})], NOW) == []
    assert charts([], NOW) == []


def test_a_new_rule_had_no_violations_before() -> None:
    (chart,) = charts([version(1, {}), version(2, {"gaps": 3})], NOW)
    assert chart.said.endswith("0, 3")


@pytest.mark.parametrize(("day", "said"), [(5, "12 hours"), (4, "1.5 days")])
def test_ages_are_told_in_fitting_units(day: int, said: str) -> None:
    (age,) = charts([version(day, {}, published=True)], NOW)
    assert age.last == said
