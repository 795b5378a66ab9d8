"""Other data that the rules of a version use: comparison datasets and suppression areas."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from spatial_pipeline.check.engine.suppress import Suppression
from spatial_pipeline.contract.database_url import is_database, redacted
from spatial_pipeline.contract.models import Contract
from spatial_pipeline.contract.rules import Other, OtherDataset, OtherSource, Rule
from spatial_pipeline.contract.rules.base import EarlierPublished, LastPublished
from spatial_pipeline.contract.rules.parity import RoundTrips, SameCountAs
from spatial_pipeline.contract.rules.suppressions import Areas
from spatial_pipeline.contract.source import Source
from spatial_pipeline.contract.vocabulary import Kind
from spatial_pipeline.errors import NotPublishedError, RuleError, SourceError
from spatial_pipeline.ingest import counted_table
from spatial_pipeline.model.one_layer import OneLayer
from spatial_pipeline.model.profile import Profile, RasterProfile, VectorProfile
from spatial_pipeline.model.readers import CountedVector, Reader, VectorReader
from spatial_pipeline.model.version import Version
from spatial_pipeline.pipeline import suppressions
from spatial_pipeline.pipeline.staging import Stager
from spatial_pipeline.store.root_files import OTHERS
from spatial_pipeline.store.versions import Store

if TYPE_CHECKING:
    from spatial_pipeline.contract.rules.pixels import OverviewsMatch


@dataclass(frozen=True)
class Comparisons:
    """Opens the comparison data of one check, in the threads of the check.

    Attributes:
        stager: stages sources, in the store that has the published versions.
        contracts: contract of every dataset by its name.
        contract: the contract under check.
        version: the version under check.
        bench: store for data that lives as long as the check: round trips.
        stand_in: where another dataset has no published version, compare with its staged one.
        progress: called periodically by long work; ends it by raising.
        remarks: name of a rule → remark about its comparison; filled as rules open their data.

    """

    stager: Stager
    contracts: Mapping[str, Contract]
    contract: Contract
    version: Version
    bench: Store
    stand_in: bool
    progress: Callable[[int, int | None], None]
    remarks: dict[str, str] = field(default_factory=dict)

    def others(self, rule: Rule) -> tuple[Reader, ...]:
        """The other data of a rule, in the order of ``Rule.others()``; one layer for some rules.

        Without a published version of the dataset itself, that one is left out.

        Raises:
            RuleError: another source cannot be read.
            NotPublishedError: another dataset has no published version, and no stand-in is allowed.

        """
        if isinstance(rule, RoundTrips):
            return (self._round_trip(rule),)
        if self.contract.kind == "raster":
            # The models of rules about pixels are built for rasters.
            from spatial_pipeline.contract.rules.pixels import OverviewsMatch

            if isinstance(rule, OverviewsMatch):
                return self._overviews(rule)
        opened: tuple[Reader, ...] = ()
        for other in rule.others():
            if isinstance(other, EarlierPublished):
                opened += tuple(self._published_before()[1:])
            elif isinstance(other, LastPublished):
                opened += tuple(self._published_before(1))
            else:
                opened += (self.other(rule, other),)
        first = rule.together
        if not first:
            return opened
        layers = cast("tuple[VectorReader, ...]", opened[:first])
        return (OneLayer(layers), *opened[first:])

    def accepted(self, rule: Rule, profile: Profile, baselines: bool) -> Suppression | None:
        """The suppressions of a rule; its areas are staged like other comparison data."""
        areas, only = (
            None if named is None else self._as_it_is_now(named, "vector", rule.base)
            for named in (rule.except_, rule.only_within)
        )
        partition = self.version.partition
        return suppressions.of(rule, partition, profile, areas, only, baselines=baselines)

    def other(self, rule: Rule, other: Other) -> Reader:
        """One of the other data of a rule."""
        if isinstance(other, OtherDataset):
            return self._dataset(rule, other.dataset)
        counted = isinstance(rule, SameCountAs) and rule.only_counts and rule.others_ is None
        if counted and isinstance(other, OtherSource) and is_database(other.uri):
            return self._counted(other)
        return self._as_it_is_now(other, rule.other_kind(self.contract.kind), self.contract.base)

    def _published(self, name: str, partition: str | None) -> Reader:
        """Published version of a dataset."""
        store = self.stager.store
        return store.open(store.published_version(name, partition))

    def _published_before(self, most: int | None = None) -> list[Reader]:
        """Published versions of this dataset and partition other than the one under check.

        The last one comes first. A version that is checked again after it was published would agree
        with itself. Those that were withdrawn or pruned are left out.
        """
        store, name, partition = self.stager.store, self.contract.name, self.version.partition
        publication = store.published(name, partition)
        if publication is None:
            return []
        there = {version.id for version in store.versions(name, partition)}
        found = [
            version
            for version in dict.fromkeys((publication.version, *publication.history))
            if version != self.version.id
            and version in there
            and (version == publication.version or version not in publication.withdrawn)
        ]
        return [store.open(Version(name, partition, version)) for version in found[:most]]

    def _counted(self, other: OtherSource) -> Reader:
        """A table of which only the row count is known: no row leaves the server."""
        source = Source(uri=other.uri, layer=other.layer, query=None, where=None)
        allowed, database = self.stager.allowed_sources, self.stager.database_url
        try:
            profile = counted_table(source, self.version.partition, allowed, database)
        except SourceError as exc:
            msg = f"{redacted(other.uri)} cannot be read: {exc}"
            raise RuleError(msg) from exc
        return CountedVector(profile)

    def _as_it_is_now(self, other: OtherSource | Areas, kind: Kind, base: Path) -> Reader:
        """Another source, staged beside the datasets."""
        source = Source(uri=other.uri, layer=other.layer, query=None, where=None)
        staged = self.stager.stage(
            OTHERS, kind, source, self.version.partition, base, self.progress, twin=self.version
        )
        data = self.stager.store.open(staged)
        if data.profile.error is not None:
            msg = f"{redacted(other.uri)} cannot be read: {data.profile.error}"
            raise RuleError(msg)
        return data

    def _dataset(self, rule: Rule, name: str) -> Reader:
        for partition in dict.fromkeys((self.version.partition, None)):
            with contextlib.suppress(NotPublishedError):
                return self._published(name, partition)
        contract = self.contracts.get(name)
        if contract is None or not self.stand_in:
            msg = f"dataset {name!r} has no published version yet: publish it first"
            raise NotPublishedError(msg)
        partition = self.version.partition if contract.partitions is not None else None
        staged = self.stager.stage(
            name, contract.kind, contract.source, partition, contract.base, self.progress
        )
        data = self.stager.store.open(staged)
        if data.profile.error is not None:
            msg = f"dataset {name!r} cannot be read: {data.profile.error}"
            raise RuleError(msg)
        self.remarks[rule.check_name] = (
            f"compared with what is staged of {name}, which has no published version"
        )
        return data

    def _round_trip(self, rule: RoundTrips) -> Reader:
        profile = self.stager.store.profile(self.version)
        source = self.stager.store.data_path(self.version)
        folder = self.bench.root / rule.check_name
        folder.mkdir(parents=True)
        # The writers of all formats are loaded for the one rule that writes.
        from spatial_pipeline.pipeline.export import export_raster, export_vector

        export = export_vector if isinstance(profile, VectorProfile) else export_raster
        written = export(source, profile, folder, rule.format, rule.driver_options)  # type: ignore[arg-type]
        back = Source(uri=str(written), layer=None, where=None)
        trip = replace(self.stager, store=self.bench, allowed_sources=None)
        staged = trip.stage(OTHERS, self.contract.kind, back, None, folder)
        data = self.bench.open(staged)
        if data.profile.error is not None:
            msg = f"written as {rule.format}, it cannot be read back: {data.profile.error}"
            raise RuleError(msg)
        return data

    def _overviews(self, rule: OverviewsMatch) -> tuple[Reader, ...]:
        """Each overview of the source, followed by the one that it should be."""
        profile = self.stager.store.profile(self.version)
        if not isinstance(profile, RasterProfile) or not profile.overviews:
            return ()
        # GDAL is loaded for the one rule that builds.
        from spatial_pipeline.pipeline.overviews import built

        folder = self.bench.root / rule.check_name
        folder.mkdir(parents=True)
        base = self.stager.store.data_path(self.version)
        rebuilt = built(base, folder / "built.tif", profile.overviews, rule.resampling)
        again = Source(uri=str(rebuilt), layer=None, where=None)
        found: list[Reader] = []
        for number, factor in enumerate(profile.overviews, 1):
            if rule.levels is not None and factor not in rule.levels:
                continue
            there = replace(self.stager, store=Store(folder / f"source{number}"))
            here = replace(there, store=Store(folder / f"built{number}"), allowed_sources=None)
            partition, place = self.version.partition, self.contract.base
            source = self.contract.source
            staged = there.stage(
                OTHERS, "raster", source, partition, place, self.progress, overview=number
            )
            if staged.id != self.version.id:
                msg = "the source changed since this version was staged: its overviews are others"
                raise RuleError(msg)
            right = here.stage(OTHERS, "raster", again, None, folder, overview=number)
            for data in (there.store.open(staged), here.store.open(right)):
                if data.profile.error is not None:
                    msg = f"the overview of factor {factor} cannot be read: {data.profile.error}"
                    raise RuleError(msg)
                found.append(data)
        return tuple(found)
