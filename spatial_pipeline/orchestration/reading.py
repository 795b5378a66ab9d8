"""Published data as inputs of other assets: an IO manager, a resource and a gate.

How published data are read is in :mod:`spatial_pipeline.pipeline.published`; schedules and
conditions are not here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import dagster as dg

from spatial_pipeline.errors import StoreError
from spatial_pipeline.orchestration.keys import published_key

if TYPE_CHECKING:
    from spatial_pipeline.pipeline.published import PublishedVersion, Require

P = ParamSpec("P")
T = TypeVar("T")
REQUIRE = "require"
"""Metadata key of an ``AssetIn``: ``last`` or ``current``."""


class PublishedIOManager(dg.ConfigurableIOManager):
    """Loads published datasets: a GeoDataFrame, or an open rasterio dataset.

    An input of several partitions is a dict of partition key to data; with ``last`` it holds those
    that were published. ``metadata={"require": "current"}`` of an ``AssetIn`` takes precedence over
    ``require``.
    """

    require: str = "last"

    def load_input(self, context: dg.InputContext) -> Any:
        """The published data of the asset key ``[dataset, "published"]``.

        Raises:
            dagster.Failure: nothing is published, or it is not current and must be.

        """
        dataset = _dataset(context.asset_key)
        require = (context.definition_metadata or {}).get(REQUIRE, self.require)
        if not context.has_asset_partitions:
            return _read(dataset, None, require)
        keys = context.asset_partition_keys
        if len(keys) == 1:
            return _read(dataset, keys[0], require)
        if require == "last":
            known = _partitions(dataset)
            keys = [k for k in keys if k in known]
        return {key: _read(dataset, key, require) for key in keys}

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:  # noqa: ARG002
        """Refuses: only the gate publishes.

        Raises:
            dagster.DagsterInvariantViolationError: always.

        """
        msg = "this IO manager only reads published datasets: give your asset another one"
        raise dg.DagsterInvariantViolationError(msg)


class PublishedResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Reads published datasets in assets that name them with ``deps``."""

    require: str = "last"

    def published(
        self, dataset: str, partition: str | None = None, require: Require | None = None
    ) -> PublishedVersion:
        """The version that readers see.

        Raises:
            dagster.Failure: nothing is published, or it is not current and must be.

        """
        return _published(dataset, partition, require or self.require)

    def read(
        self, dataset: str, partition: str | None = None, require: Require | None = None
    ) -> Any:
        """A GeoDataFrame, or an open rasterio dataset; see :meth:`published`."""
        return _read(dataset, partition, require or self.require)


def gated(
    *datasets: str, require: Require = "current"
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Lets an asset's function run only if datasets are published; stands below ``@dg.asset``.

    The gate is asked when the step begins, so it holds in runs by hand, in backfills and in
    automation alike.

    Args:
        datasets: names of the datasets.
        require: ``current`` also stops when a newer delivery is held; ``last`` only when nothing
            was ever published.

    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(function)
        def asked(*args: P.args, **kwargs: P.kwargs) -> T:
            context = dg.AssetExecutionContext.get()
            keys = context.partition_keys if context.has_partition_key_range else []
            if context.has_partition_key:
                keys = [context.partition_key]
            for dataset in datasets:
                for key in keys or [None]:
                    _published_or_whole(dataset, key, require)
            return function(*args, **kwargs)

        return asked

    return decorate


def _dataset(key: dg.AssetKey) -> str:
    if key != published_key(key.path[0]):
        msg = f"asset {key.to_user_string()} is not a published dataset: expected NAME/published"
        raise dg.Failure(msg, allow_retries=False)
    return key.path[0]


def _published_or_whole(dataset: str, key: str | None, require: Require) -> None:
    """Asks for a partition, or for the whole of a dataset that has none."""
    _published(dataset, None if _partitions(dataset) == [None] else key, require)


def _partitions(dataset: str) -> list[str | None]:
    """Partitions that were published."""
    from spatial_pipeline.settings import Settings
    from spatial_pipeline.store.versions import Store

    return Store(Settings().store).partitions(dataset)


def _published(dataset: str, partition: str | None, require: str) -> PublishedVersion:
    from spatial_pipeline.pipeline.published import published

    return _or_failure(published, dataset, partition, require)


def _read(dataset: str, partition: str | None, require: str) -> Any:
    from spatial_pipeline.pipeline.published import read

    return _or_failure(read, dataset, partition, require)


def _or_failure(function: Callable[..., T], dataset: str, partition: str | None, require: Any) -> T:
    """What a reader returns; what the store refuses ends the step, which no retry can change."""
    try:
        return function(dataset, partition=partition, require=require)
    except (StoreError, ValueError) as exc:
        raise dg.Failure(str(exc), allow_retries=False) from exc
