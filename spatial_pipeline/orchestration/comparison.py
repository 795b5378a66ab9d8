"""Lineage of data that rules compare with: another dataset → ``comparison`` → ``published``.

The verdict of a dataset, and so what it publishes, depends on the other datasets of its rules. An
external asset between them shows this and plans nothing: it has no partitions that would have to
match, a backfill of both datasets waits for nobody, and a new version of the other dataset makes
nothing stale. The order within a run comes from the dependencies of the checks.
"""

from __future__ import annotations

import dagster as dg

from spatial_pipeline.contract.database_url import redacted
from spatial_pipeline.contract.models import Contract
from spatial_pipeline.contract.rules import OtherDataset, OtherSource
from spatial_pipeline.orchestration.keys import comparison_key, published_key


def comparison_spec(contract: Contract) -> dg.AssetSpec | None:
    """The data that the rules compare with, as an external asset; None when these are no datasets.

    Files and tables outside of the project are listed in its description; they have no asset.
    """
    if not contract.others:
        return None
    return dg.AssetSpec(
        key=comparison_key(contract.name),
        deps=[published_key(other) for other in contract.others],
        description=_description(contract),
        group_name=contract.group or contract.name,
        owners=list(contract.owners),
        kinds={contract.kind, "comparison"},
    )


def _description(contract: Contract) -> str:
    rules: dict[str, list[str]] = {}
    for rule in contract.effective_rules:
        for other in rule.others():
            if isinstance(other, OtherDataset):
                rules.setdefault(f"{other.dataset} (published)", []).append(rule.check_name)
            elif isinstance(other, OtherSource):
                rules.setdefault(redacted(other.uri), []).append(rule.check_name)
    lines = [f"- {data}: {', '.join(dict.fromkeys(names))}" for data, names in rules.items()]
    return "\n".join([f"Data that rules of {contract.name} compare it with:", "", *lines])
