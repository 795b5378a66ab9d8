"""Who hears of what: every condition of a route alone, and all of them together."""

from __future__ import annotations

import pytest

from spatial_pipeline.alert.problems import rule_key
from spatial_pipeline.alert.routing import Route, recipients
from spatial_pipeline.contract.vocabulary import Severity
from spatial_pipeline_tests.alert.cases import fact

CHANNELS = ("gis", "ops")
OWNERS = ("team:gis", "ann@example.org")


@pytest.mark.parametrize(
    ("conditions", "dataset", "owners", "severity", "taken"),
    [
        ({}, "roads", (), Severity.WARN, True),
        ({"severity": Severity.ERROR}, "roads", OWNERS, Severity.ERROR, True),
        ({"severity": Severity.ERROR}, "roads", OWNERS, Severity.WARN, False),
        ({"severity": Severity.WARN}, "roads", OWNERS, Severity.ERROR, False),
        ({"owners": ("team:gis",)}, "roads", OWNERS, Severity.WARN, True),
        ({"owners": ("team:ops", "ann@example.org")}, "roads", OWNERS, Severity.WARN, True),
        ({"owners": ("team:ops",)}, "roads", OWNERS, Severity.WARN, False),
        ({"owners": ("team:ops",)}, "roads", (), Severity.WARN, False),
        ({"datasets": ("road*", "lakes")}, "roads", (), Severity.WARN, True),
        ({"datasets": ("road", "lakes")}, "roads", (), Severity.WARN, False),
        (
            {"owners": ("team:gis",), "datasets": ("roads",), "severity": Severity.ERROR},
            "roads", OWNERS, Severity.ERROR, True,
        ),
        (
            {"owners": ("team:gis",), "datasets": ("lakes",), "severity": Severity.ERROR},
            "roads", OWNERS, Severity.ERROR, False,
        ),
    ],
)  # fmt: skip
def test_conditions(
    conditions: dict[str, object],
    dataset: str,
    owners: tuple[str, ...],
    severity: Severity,
    taken: bool,
) -> None:
    told = fact(rule_key(dataset, None, "unique"), owners=owners, severity=severity)
    route = Route(("gis",), **conditions)  # type: ignore[arg-type]
    assert route.takes(told) is taken
    # What no route takes goes to every channel.
    assert recipients([route], CHANNELS, told) == (("gis",) if taken else CHANNELS)
