"""Models of the contract of one dataset, vector or raster."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, PrivateAttr, StrictBool, WithJsonSchema, model_validator

from spatial_pipeline.contract.column_description import ColumnDescription
from spatial_pipeline.contract.errors import Mistake, shown_path
from spatial_pipeline.contract.partitions import (
    DailyPartitions,
    DynamicPartitions,
    StaticPartitions,
)
from spatial_pipeline.contract.publication import GeometryColumn, Publish
from spatial_pipeline.contract.retention import Retention
from spatial_pipeline.contract.rules import AnyRule, OtherDataset, Rule
from spatial_pipeline.contract.rules.base import ContractModel
from spatial_pipeline.contract.rules.metadata import Readable
from spatial_pipeline.contract.rules.parity import StagedMatchesSource
from spatial_pipeline.contract.schedule import Automation, Freshness, Scheduled, TimeZone, Watch
from spatial_pipeline.contract.source import NO_RASTER_SOURCE, Source
from spatial_pipeline.contract.specification import Use, use_mistakes, with_used_rules
from spatial_pipeline.contract.spelling import closest
from spatial_pipeline.contract.table_name import TableName
from spatial_pipeline.contract.vocabulary import Kind
from spatial_pipeline.runtime.hashing import fingerprint

ALWAYS_ON: tuple[Rule, ...] = (Readable(), StagedMatchesSource())
"""Rules of every contract, whether it names them or not."""


OWNER = r"team:.+|\b[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Z|a-z]{2,7}\b"
"""Regular expression of the owners that Dagster accepts, as it is written there."""
Owner = Annotated[str, WithJsonSchema({"type": "string", "pattern": f"^({OWNER})$"})]


class Backfill(ContractModel):
    """Order and size of backfills after a change."""

    order: Literal["newest", "oldest"] = Field(
        "newest", description="First partitions to rebuild, by partition key."
    )
    at_most: int = Field(4, ge=1, description="Maximum number of partitions rebuilt at a time.")


class DatasetContract(ContractModel):
    """Contract of a dataset: keys that vector and raster contracts share."""

    kind: ClassVar[Kind]
    type_name: ClassVar[str]

    name: str = Field(
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        max_length=100,
        description="Name of the dataset: letters, digits and underscores.",
    )
    description: str = Field(
        "", description="Description of the dataset for the UI, in one sentence."
    )
    group: str | None = Field(
        None, pattern=r"^[A-Za-z0-9_]+$", description="Asset group in the Dagster UI."
    )
    owners: tuple[Owner, ...] = Field((), description="Owners: team:name or e-mail addresses.")
    source: Source = Field(description="Source of the data.")
    partitions: StaticPartitions | DailyPartitions | DynamicPartitions | None = Field(
        None, description="Partitions: {static: [...]}, {daily: first day} or {dynamic: name}."
    )
    schedule: str | Scheduled | None = Field(
        None,
        description="Cron expression of scheduled runs, in the contract's time zone; "
        "{cron: expression, after: [datasets]} waits for the runs of other datasets.",
    )
    catch_up: int = Field(
        10,
        ge=0,
        le=1000,
        description="Missed days that a tick of the schedule makes up for, oldest first; daily "
        "partitions only.",
    )
    timezone: TimeZone = Field(
        "UTC", description="Time zone of cron expressions and daily partitions, as Europe/Berlin."
    )
    watch: StrictBool | Watch = Field(
        False, description="true or {every: 5m}: watch the source, and run when it changes."
    )
    automation: Automation | None = Field(
        None,
        description="Declarative automation: eager, on_missing or {on_cron: cron expression}.",
    )
    freshness: Freshness | None = Field(
        None,
        description="Maximum age of published data: {at_most: 26h} or {deadline: cron expression, "
        "within: 8h}.",
    )
    uses: tuple[str | Use, ...] = Field(
        (),
        description="Public specifications that the data follow, by name; "
        "{name, parameters, override, drop} adapts one.",
    )
    rules: tuple[AnyRule, ...] = Field(
        (),
        description="Rules that the data must satisfy. If the key is given, it has at least one.",
        json_schema_extra={"minItems": 1},
    )
    on_schema_change: Literal["hold", "accept_additive", "backfill"] = Field(
        "hold",
        description="Action when the schema differs from the published one and no rule declares "
        "the difference. hold: wait until a person accepts it; accept_additive: let added nullable "
        "columns pass; backfill: accept it and rebuild earlier partitions.",
    )
    backfill: Backfill | None = Field(
        None,
        description="Settings of on_schema_change: backfill, for partitioned datasets: "
        "{order: newest | oldest, at_most: 4}.",
    )

    retention: Retention | None = Field(
        None,
        description="{keep: 5, days: 90}: which earlier versions stay; all of them without it.",
    )

    _path: Path | None = PrivateAttr(None)
    _lines: dict[str, int] = PrivateAttr(default_factory=dict)
    _key_lines: tuple[int, ...] = PrivateAttr(())
    _source_lines: dict[str, int] = PrivateAttr(default_factory=dict)
    _column_lines: dict[str, int] = PrivateAttr(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _with_specifications(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and value.get("uses"):
            mistakes = [text for _, text, _ in use_mistakes(value["uses"], cls.kind)]
            if mistakes:
                raise ValueError("; ".join(mistakes))
        return with_used_rules(value)

    @model_validator(mode="after")
    def _consistent(self) -> DatasetContract:
        mistakes: list[str] = []
        names = [r.check_name for r in self.rules]
        mistakes += [
            f"two rules are named {n!r}: give one of them a name"
            for n in dict.fromkeys(names)
            if names.count(n) > 1
        ]
        mistakes += [
            f"rule {r.rule!r} is for {' and '.join(sorted(r.kinds))} data, not {self.kind}"
            for r in self.rules
            if self.kind not in r.kinds
        ]
        mistakes += [
            f"{r.check_name}: {name}: {reason}"
            for r in self.rules
            for name, reason in r.unused(self.kind)
        ]
        if (self.partitions is None) == ("{partition}" in self.source.uri):
            mistakes.append("a partitioned dataset has {partition} in source.uri, and no other has")
        if self.backfill is not None and self.on_schema_change != "backfill":
            mistakes.append("backfill needs on_schema_change: backfill")
        if self.backfill is not None and self.partitions is None:
            mistakes.append("backfill is for partitioned datasets")
        if "catch_up" in self.model_fields_set and not isinstance(self.partitions, DailyPartitions):
            mistakes.append("catch_up is for daily partitions")
        if mistakes:
            raise ValueError("; ".join(mistakes))
        return self

    @model_validator(mode="after")
    def _judged_beside(self) -> Self:
        if beside := {name for rule in self.rules for name in rule.beside}:
            # The model is frozen, and a source that is shared with another contract stays as it is.
            self.__dict__["source"] = self.source.judged(beside)
        return self

    @property
    def path(self) -> Path | None:
        """The file that the contract was read from, None when it was made in code."""
        return self._path

    def line_of(self, check: str) -> int:
        """1-based line of a rule in the file, of the first rule for one that is not written."""
        return self._lines.get(check, min(self._lines.values(), default=1))

    def source_mistake(self, key: str, text: str) -> Mistake:
        """A mistake in a key of ``source`` that only shows with the data, with its line."""
        return Mistake(self.path, self._source_lines.get(key), f"source.{key}: {text}")

    @property
    def option(self) -> str:
        """`` --contracts file``, with which a command finds the contract; empty without a file."""
        return "" if self.path is None else f" --contracts {shlex.quote(shown_path(self.path))}"

    def key_mistakes(self, columns: Sequence[str]) -> list[Mistake]:
        """Columns of ``key`` that the data do not have, with their lines.

        Args:
            columns: names of the columns of the data.

        """
        return [
            Mistake(
                self.path,
                self._key_lines[i] if self._key_lines else None,
                f"key: the data have no column {name!r}{closest(name, columns).hint}",
            )
            for i, name in enumerate(self.key_columns)
            if name not in columns
        ]

    def column_mistakes(self, columns: Sequence[str]) -> list[Mistake]:
        """Columns of rules and descriptions that the data spell otherwise, with their lines.

        A column without a similar one in the data is no misspelling: the data may lack it.

        Args:
            columns: names of the columns of the data.

        """
        places = (
            *(
                (self.line_of(r.check_name), r.check_name, c)
                for r in self.rules
                for c in r.columns()
            ),
            *((self._column_lines.get(c), "columns", c) for c in self.column_descriptions),
        )
        near = [(*place, closest(place[-1], columns)) for place in places]
        return [
            Mistake(
                self.path,
                None if self.path is None else line,
                f"{subject}: the data have no column {name!r}{similar.hint}",
            )
            for line, subject, name, similar in near
            if name not in columns and similar.word is not None
        ]

    @property
    def base(self) -> Path:
        """The folder that relative URIs are relative to."""
        return self._path.parent if self._path is not None else Path.cwd()

    @property
    def cron(self) -> str | None:
        """Cron expression of the nightly run, None when there is none."""
        return self.schedule.cron if isinstance(self.schedule, Scheduled) else self.schedule

    @property
    def after(self) -> tuple[str, ...]:
        """Datasets whose run must have ended before the nightly run begins."""
        return self.schedule.after if isinstance(self.schedule, Scheduled) else ()

    @property
    def others(self) -> tuple[str, ...]:
        """Other datasets that the rules compare this one with, in a fixed order."""
        named = {o.dataset for r in self.rules for o in r.others() if isinstance(o, OtherDataset)}
        return tuple(sorted(named - {self.name}))

    @property
    def watched(self) -> Watch | None:
        """Settings for watching the source; None when it is not watched."""
        if isinstance(self.watch, Watch):
            return self.watch
        return Watch() if self.watch else None

    @property
    def effective_rules(self) -> tuple[Rule, ...]:
        """The rules of the contract, the always-on ones first."""
        named = {r.rule for r in self.rules}
        always = tuple(r for r in ALWAYS_ON if r.rule not in named)
        return always + tuple(r.placed(self.base) for r in self.rules)

    @property
    def rules_hash(self) -> str:
        """Hash of all rules with their parameters, for which a verdict is valid."""
        return fingerprint([[r.check_name, r.hash] for r in self.effective_rules], self.key_columns)

    @property
    def key_columns(self) -> tuple[str, ...]:
        """Columns that identify a feature in violations; empty means source rows."""
        return ()

    @property
    def column_descriptions(self) -> Mapping[str, ColumnDescription]:
        """Description and unit of columns, by name."""
        return {}

    @property
    def table(self) -> TableName | None:
        """The table that the dataset is published to, None when it goes to files only."""
        return None

    @property
    def geometry_column(self) -> GeometryColumn:
        """Declared geometry column of the published table."""
        return GeometryColumn()


class VectorContract(DatasetContract):
    """Contract of a vector dataset."""

    kind: ClassVar[Kind] = "vector"
    type_name: ClassVar[str] = "spatial_pipeline.VectorDataset"

    key: tuple[str, ...] = Field(
        (), description="Columns that identify a feature in violations and comparisons."
    )
    columns: dict[str, ColumnDescription] = Field(
        default_factory=dict,
        description="Meaning of columns, for the UI and the published table: {population: "
        "{description: Inhabitants on 1 January, unit: persons}}.",
    )
    publish: Publish | None = Field(
        None,
        description="Table in PostGIS: {table: schema.table, geometry: MultiPolygonZ}. Without it, "
        "the dataset is published to files only.",
    )

    @property
    def key_columns(self) -> tuple[str, ...]:
        """Columns that identify a feature in violations; empty means source rows."""
        return self.key

    @property
    def column_descriptions(self) -> Mapping[str, ColumnDescription]:
        """Description and unit of columns, by name."""
        return self.columns

    @property
    def table(self) -> TableName | None:
        """The table that the dataset is published to, None when it goes to files only."""
        return None if self.publish is None else self.publish.table_name

    @property
    def geometry_column(self) -> GeometryColumn:
        """Declared geometry column of the published table."""
        return GeometryColumn() if self.publish is None else self.publish.geometry_column


class RasterContract(DatasetContract):
    """Contract of a raster dataset."""

    kind: ClassVar[Kind] = "raster"
    type_name: ClassVar[str] = "spatial_pipeline.RasterDataset"

    source: Source = Field(
        description="Source of the data.",
        json_schema_extra={"properties": dict.fromkeys(NO_RASTER_SOURCE, False)},
    )

    @model_validator(mode="after")
    def _no_features(self) -> Self:
        for name, reason in NO_RASTER_SOURCE.items():
            if getattr(self.source, name) is not None:
                msg = f"source.{name}: leave it out: {reason}"
                raise ValueError(msg)
        return self


Contract = VectorContract | RasterContract
MODELS: dict[str, type[VectorContract] | type[RasterContract]] = {
    m.type_name: m for m in (VectorContract, RasterContract)
}
