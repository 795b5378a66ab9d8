"""The differences between two versions of a dataset: schema, results of rules, and data.

Data are compared by the parity rules, so that a version is told from another in the same words as
a dataset from its copy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from spatial_pipeline.check.engine.engine import Plan, evaluate
from spatial_pipeline.contract.rules import OtherDataset, Rule
from spatial_pipeline.contract.rules.parity import SameFeaturesAs, SamePixelsAs
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.model.profile import Profile, RasterProfile
from spatial_pipeline.model.result import Result, Verdict
from spatial_pipeline.model.schema_diff import SchemaChange, schema_change, schema_of
from spatial_pipeline.model.version import Version
from spatial_pipeline.model.violation_runs import AnyViolations, in_memory
from spatial_pipeline.report.checked import Checked
from spatial_pipeline.report.difference import difference_page
from spatial_pipeline.report.scene import scene_of
from spatial_pipeline.report.selection import MAX_SHOWN
from spatial_pipeline.store.versions import Store


@dataclass(frozen=True)
class RuleChange:
    """A rule whose result differs between two versions.

    Attributes:
        name: name of the rule.
        before: its result for the former version; None when it was not checked then.
        after: the same for the latter.

    """

    name: str
    before: Result | None
    after: Result | None


@dataclass(frozen=True)
class VersionDifference:
    """The differences between two versions.

    Attributes:
        before: the former version.
        after: the latter version.
        profile: profile of the latter.
        schema: changes of the schema.
        rules: rules with another status or number of violations, in the order of the verdicts.
        data: result of the parity rule, its message the differences by class; status ``error`` when
            the data cannot be compared.
        violations: each new, gone, moved or edited feature, or region of other pixels.

    """

    before: Version
    after: Version
    profile: Profile
    schema: SchemaChange
    rules: tuple[RuleChange, ...]
    data: Result
    violations: AnyViolations

    @property
    def equal(self) -> bool:
        """True when nothing differs that was compared."""
        return not self.schema and not self.rules and self.data.passed

    @property
    def checked(self) -> Checked:
        """The differences of the data as report formats take them."""
        evaluations = ((self.data, self.violations),)
        place = (self.after.dataset, self.after.partition, self.after.id)
        return Checked(*place, evaluations, self.profile)

    def page(self, store: Store, made_at: str) -> str:
        """The differences as an HTML page with a map.

        Args:
            store: the store that holds the versions.
            made_at: time of the page, ISO 8601 in UTC.

        """
        changes = in_memory(self.violations, MAX_SHOWN).take(slice(0, MAX_SHOWN))
        rules = [(c.name, f"{_words(c.before)} → {_words(c.after)}") for c in self.rules]
        return difference_page(
            f"{str(self.after).partition('@')[0]}: {self.before.id} → {self.after.id}",
            made_at,
            facts=(
                ("Before", self.before.id),
                ("After", self.after.id),
                ("Data", self.data.message or "equal"),
            ),
            lists=(
                ("Schema", [("schema", str(d)) for d in self.schema.differences]),
                ("Rules with another result", rules),
            ),
            changes=changes,
            total=len(self.violations),
            profile=self.profile,
            scene=scene_of(store.open(self.after), [changes]),
        )

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dict."""
        return {
            "dataset": self.after.dataset,
            "partition": self.after.partition,
            "before": self.before.id,
            "after": self.after.id,
            "equal": self.equal,
            "schema": [str(d) for d in self.schema.differences],
            "rules": [
                {"name": c.name, "before": _as_json(c.before), "after": _as_json(c.after)}
                for c in self.rules
            ],
            "data": {
                "compared": self.data.status in {Status.PASSED, Status.FAILED},
                "differences": self.data.violations,
                "message": self.data.message,
            },
        }


async def version_difference(
    store: Store, before: Version, after: Version, key: Sequence[str] = (), plan: Plan | None = None
) -> VersionDifference:
    """Compares two versions of one dataset.

    Args:
        store: the store that holds them.
        before: the former version.
        after: the latter version.
        key: columns that identify a feature; features are joined by geometry without any.
        plan: threads and memory.

    Raises:
        StoreError: a version is missing or damaged.

    """
    there = await asyncio.to_thread(store.open, before)
    here = await asyncio.to_thread(store.open, after)
    other = OtherDataset(dataset=after.dataset)
    raster = isinstance(here.profile, RasterProfile)
    rule: Rule = SamePixelsAs(other=other) if raster else SameFeaturesAs(other=other)
    ((result, violations),) = await evaluate(
        [rule], here, key=tuple(key), others=lambda _: (there,), plan=plan
    )
    return VersionDifference(
        before=before,
        after=after,
        profile=here.profile,
        schema=schema_change(schema_of(there.profile), schema_of(here.profile)),
        rules=_changed(store.verdict(before), store.verdict(after)),
        data=result,
        violations=violations,
    )


def _changed(before: Verdict | None, after: Verdict | None) -> tuple[RuleChange, ...]:
    sides = [{r.name: r for r in (() if v is None else v.results)} for v in (before, after)]
    changes = (
        RuleChange(name, sides[0].get(name), sides[1].get(name))
        for name in dict.fromkeys((*sides[0], *sides[1]))
    )
    return tuple(c for c in changes if _outcome(c.before) != _outcome(c.after))


def _outcome(result: Result | None) -> tuple[Status, int] | None:
    return None if result is None else (result.status, result.violations)


def _words(result: Result | None) -> str:
    if result is None:
        return "not checked"
    return f"{result.status.value} ({result.violations})"


def _as_json(result: Result | None) -> dict[str, Any] | None:
    if result is None:
        return None
    return {"status": result.status.value, "violations": result.violations}
