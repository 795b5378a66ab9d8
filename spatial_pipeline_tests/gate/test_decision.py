"""Fail closed: whatever is missing, old or of another version keeps the gate shut."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from spatial_pipeline.contract.models import VectorContract
from spatial_pipeline.contract.vocabulary import Severity, Status
from spatial_pipeline.gate.decision import decide, merged
from spatial_pipeline.model.result import Result, Verdict
from spatial_pipeline.model.version import Version

VERSION = Version("roads", None, "v1")


def contract(**changes: Any) -> VectorContract:
    rules = [
        {"rule": "not_empty"},
        {"rule": "feature_count", "min": 1},
        {"rule": "valid_geometry", "severity": "warn"},
    ]
    return VectorContract.model_validate(
        {"name": "roads", "source": {"uri": "roads.gpkg"}, "rules": rules, **changes}
    )


def results(of: VectorContract, **statuses: Status) -> list[Result]:
    return [
        Result(
            name=r.check_name,
            rule=r.rule,
            rule_hash=r.hash,
            family=r.family,
            severity=r.severity,
            status=statuses.get(r.check_name, Status.PASSED),
            message="3 of 9 violate",
        )
        for r in of.effective_rules
    ]


def verdict(of: VectorContract, **statuses: Status) -> Verdict:
    return merged(of, VERSION, None, results(of, **statuses), "2026-01-01T00:00:00+00:00")


def test_open_when_every_blocking_rule_passed() -> None:
    assert decide(contract(), VERSION, verdict(contract())).open


def test_a_warning_never_holds() -> None:
    assert decide(contract(), VERSION, verdict(contract(), valid_geometry=Status.FAILED)).open


def test_the_lower_of_two_grades_opens_and_the_higher_holds() -> None:
    graded = contract(rules=[{"rule": "not_empty", "warn_at": 1, "error_at": 5}])

    def open_after(severity: Severity, status: Status) -> bool:
        judged = verdict(graded, not_empty=status)
        found = tuple(
            replace(r, severity=severity) if r.name == "not_empty" else r for r in judged.results
        )
        return decide(graded, VERSION, replace(judged, results=found)).open

    assert open_after(Severity.WARN, Status.FAILED)
    assert not open_after(Severity.ERROR, Status.FAILED)
    assert not open_after(Severity.WARN, Status.ERROR)
    # A result of severity warn says nothing about a rule without grades.
    plain = verdict(contract(), not_empty=Status.FAILED)
    found = tuple(replace(r, severity=Severity.WARN) for r in plain.results)
    assert not decide(contract(), VERSION, replace(plain, results=found)).open


@pytest.mark.parametrize("status", [Status.FAILED, Status.ERROR, Status.TIMEOUT])
@pytest.mark.parametrize(
    "name", ["readable", "staged_matches_source", "not_empty", "feature_count"]
)
def test_held_unless_passed(name: str, status: Status) -> None:
    decision = decide(contract(), VERSION, verdict(contract(), **{name: status}))
    assert decision.reasons == (f"{name}: {status.value}: 3 of 9 violate",)


def test_held_without_a_verdict() -> None:
    assert decide(contract(), VERSION, None).reasons == ("never checked",)


def test_held_when_a_rule_was_never_checked() -> None:
    partial = replace(verdict(contract()), results=verdict(contract()).results[:3])
    assert decide(contract(), VERSION, partial).reasons == ("feature_count: never checked",)


def test_held_when_there_are_no_results_at_all() -> None:
    assert not decide(contract(rules=[]), VERSION, replace(verdict(contract()), results=())).open


def test_held_when_the_contract_was_tightened() -> None:
    tighter = contract(rules=[{"rule": "not_empty"}, {"rule": "feature_count", "min": 2}])
    assert decide(tighter, VERSION, verdict(contract())).reasons == (
        "feature_count: the rule changed since it was checked",
    )


def test_held_when_a_warning_becomes_an_error() -> None:
    stricter = contract(rules=[{"rule": "valid_geometry"}])
    assert decide(stricter, VERSION, verdict(contract(), valid_geometry=Status.FAILED)).reasons == (
        "valid_geometry: the rule changed since it was checked",
    )


@pytest.mark.parametrize(
    "other",
    [Version("roads", None, "v2"), Version("rails", None, "v1"), Version("roads", "north", "v1")],
)
def test_held_when_the_verdict_is_about_something_else(other: Version) -> None:
    decision = decide(contract(), other, verdict(contract()))
    assert decision.reasons == ("the verdict is about roads/None/v1",)


def test_held_when_withdrawn() -> None:
    decision = decide(contract(), VERSION, verdict(contract()), withdrawn=["v1"])
    assert decision.reasons == ("withdrawn by a rollback",)


def test_a_second_check_of_some_rules_keeps_the_others() -> None:
    former = verdict(contract(), not_empty=Status.FAILED)
    again = [r for r in results(contract()) if r.name == "not_empty"]
    now = merged(contract(), VERSION, former, again, "later")
    assert [r.status for r in now.results] == [Status.PASSED] * 5
    assert decide(contract(), VERSION, now).open


def test_results_of_changed_and_removed_rules_are_dropped() -> None:
    changed = contract(rules=[{"rule": "feature_count", "min": 5}])
    now = merged(changed, VERSION, verdict(contract()), [], "later")
    assert [r.name for r in now.results] == ["readable", "staged_matches_source"]


def test_results_of_another_version_are_dropped() -> None:
    now = merged(contract(), Version("roads", None, "v2"), verdict(contract()), [], "later")
    assert now.results == ()
    assert not now.passed


def test_severity_of_the_verdict_is_not_trusted() -> None:
    forged = replace(
        verdict(contract()),
        results=tuple(
            replace(r, severity=Severity.WARN, status=Status.FAILED)
            for r in verdict(contract()).results
        ),
    )
    assert len(decide(contract(), VERSION, forged).reasons) == 4


def test_round_trip_through_json() -> None:
    value = verdict(contract(), not_empty=Status.TIMEOUT)
    assert Verdict.from_json(value.to_json()) == value
