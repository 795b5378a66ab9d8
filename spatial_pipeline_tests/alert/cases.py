"""Facts, channels and shelves for the tests of the alert stage."""

from __future__ import annotations

from typing import Any

from spatial_pipeline.alert.message import Message
from spatial_pipeline.alert.problems import Key, Kind, Observation, Problem, rule_key
from spatial_pipeline.contract.vocabulary import Severity
from spatial_pipeline.model.violation import Violation

KEY = rule_key("roads", "p1", "unique")
DEFECT = Violation((("4711",), ("4712",)), "duplicate", (1603607.55, 6463658.73), 0.5, "m")


def fact(key: Key = KEY, violations: int | None = 4, **changes: Any) -> Problem:
    attributes: dict[str, Any] = {
        "severity": Severity.ERROR,
        "summary": f"{violations} duplicates",
        "violations": violations,
        "checked": 100,
        "value": violations,
        "limit": 0.0,
        "sample": (DEFECT,),
        "version": "v1",
        "layer": "/store/roads/p1/v1/violations.parquet",
        "run_id": "run-1",
        "asset": "roads/staged",
        "owners": ("team:gis",),
    }
    return Problem(key, **{**attributes, **changes})


def held(dataset: str = "roads", **changes: Any) -> Problem:
    return fact(Key(dataset, None, Kind.HELD, "published"), None, checked=None, **changes)


def seen(at: float, *facts: Problem, right: tuple[Key, ...] = ()) -> Observation:
    return Observation.of(at, facts, right)


class Memory:
    """A shelf that can die before or after the n-th save."""

    def __init__(self) -> None:
        self.text: str | None = None
        self.saves = 0

    def load(self) -> str | None:
        return self.text

    def save(self, text: str) -> None:
        self.text = text
        self.saves += 1


class Fake:
    """A channel that keeps messages; ``error`` makes it refuse them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.error: str | None = None
        self.messages: list[Message] = []
        self.attempts = 0

    def send(self, message: Message) -> str | None:
        self.attempts += 1
        if self.error is None:
            self.messages.append(message)
        return self.error

    @property
    def ids(self) -> list[str]:
        return [m.id for m in self.messages]
