"""Words that a shell offers for what is typed so far; a source of them that fails offers none."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import typer

from spatial_pipeline.errors import SpatialPipelineError


def complete_dataset(incomplete: str) -> list[str]:
    """Names of the datasets in the store and of the contracts that commands take by themselves."""
    found: set[str] = set()
    with _quiet():
        from spatial_pipeline.settings import Settings
        from spatial_pipeline.store.versions import Store

        found.update(Store(Settings().store).datasets())
    with _quiet():
        from spatial_pipeline.commands.project import samples
        from spatial_pipeline.contract.load import load_project

        own, neighbours = load_project(samples())
        found.update(c.name for c in (*own, *neighbours))
    return sorted(name for name in found if name.startswith(incomplete))


def complete_rule(incomplete: str) -> list[tuple[str, str]]:
    """Ids of the rules, with their descriptions."""
    from spatial_pipeline.contract.rule_index import every_rule

    return [(r.rule, r.description) for r in every_rule() if r.rule.startswith(incomplete)]


def complete_partition(ctx: typer.Context, incomplete: str) -> list[str]:
    """Keys of the partitions of the dataset on the line."""
    with _quiet():
        from spatial_pipeline.settings import Settings
        from spatial_pipeline.store.versions import Store

        keys = Store(Settings().store).staged_partitions(ctx.params["dataset"])
        return [key for key in keys if key is not None and key.startswith(incomplete)]
    return []


def complete_version(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Versions of the dataset on the line, with their states, and the words for some of them."""
    with _quiet():
        from spatial_pipeline.pipeline.version_history import find_partition, version_history
        from spatial_pipeline.settings import Settings
        from spatial_pipeline.store.versions import Store

        store = Store(Settings().store)
        dataset = ctx.params["dataset"]
        partition = find_partition(store, dataset, ctx.params.get("partition"))
        records = version_history(store, dataset, partition)
        words = [(r.version.id, f"{r.state}, {r.staged_at}") for r in records]
        words += [("published", "readers see it"), ("previous", "published before"), ("latest", "")]
        return [w for w in words if w[0].startswith(incomplete)]
    return []


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """A mistake in the environment or a contract is for the command to tell, not for a shell."""
    with contextlib.suppress(SpatialPipelineError, ValueError, OSError, KeyError):
        yield
