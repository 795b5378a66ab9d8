"""Models of the contract of one dataset, vector or raster."""

from __future__ import annotations

import codecs
import shlex
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    StrictBool,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from spatial_pipeline.contract import remote_url
from spatial_pipeline.contract.database_url import is_database
from spatial_pipeline.contract.errors import Mistake, shown_path
from spatial_pipeline.contract.geometry_type import GeometryType, GeometryTypeName
from spatial_pipeline.contract.layers import layer_of, without_layer
from spatial_pipeline.contract.retention import Retention
from spatial_pipeline.contract.rules import AnyRule, OtherDataset, Rule
from spatial_pipeline.contract.rules.base import ContractModel
from spatial_pipeline.contract.rules.metadata import Readable
from spatial_pipeline.contract.rules.parity import StagedMatchesSource
from spatial_pipeline.contract.schedule import Automation, Freshness, Scheduled, TimeZone, Watch
from spatial_pipeline.contract.spelling import closest
from spatial_pipeline.contract.table_name import TableName
from spatial_pipeline.contract.vocabulary import INGEST_VERSION, Kind
from spatial_pipeline.runtime.hashing import fingerprint

ALWAYS_ON: tuple[Rule, ...] = (Readable(), StagedMatchesSource())
"""Rules of every contract, whether it names them or not."""


OWNER = r"team:.+|\b[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Z|a-z]{2,7}\b"
"""Regular expression of the owners that Dagster accepts, as it is written there."""
NO_PARTITION_KEY = ("...", "\a", "\b", "\f", "\n", "\r", "\t", "\v", "\0")
"""Texts that Dagster refuses in a partition key."""
Owner = Annotated[str, WithJsonSchema({"type": "string", "pattern": f"^({OWNER})$"})]
MAX_SRID = 998_999
"""Largest number of spatial_ref_sys (PostGIS' SRID_USER_MAXIMUM)."""


ENCODINGS = ("utf-8", "cp1252", "iso8859-15", "iso8859-1", "utf-16", "cp850", "cp1250", "shift_jis")
"""Encodings that messages suggest; Python knows more."""


class Source(ContractModel):
    """Source of the data."""

    model_config = ConfigDict(json_schema_extra=without_layer)

    uri: str = Field(
        min_length=1,
        description="Path of a file or zip archive, relative to the contract file; "
        "package://name/path, a file in a Python package; a URL (http, https, s3, gs, az); or a "
        "database (postgresql: for SPATIAL_DATABASE_URL, postgresql://user@host/database). "
        "{partition} is replaced by the partition key.",
    )
    layer: Annotated[str | None, AfterValidator(layer_of)] = Field(
        None, description="Layer, if the source has several; of a database, schema.table."
    )
    query: str | None = Field(
        None, description="SELECT statement to read instead of a table; databases only."
    )
    where: str | None = Field(
        None, description="SQL condition (DuckDB). Only features that meet it are read."
    )

    encoding: str | None = Field(
        None,
        description="Text encoding, named as in Python (cp1252), if the file declares none or "
        "a wrong one; text formats and Shapefiles only.",
    )

    @field_validator("encoding")
    @classmethod
    def _decodes(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            return codecs.lookup(value).name
        except LookupError as exc:
            near = closest(value, ENCODINGS).hint or f"; for example {', '.join(ENCODINGS[:3])}"
            msg = f"unknown encoding {value!r}{near}"
            raise ValueError(msg) from exc

    @field_validator("uri")
    @classmethod
    def _known(cls, value: str) -> str:
        return remote_url.possible(value)

    @model_validator(mode="after")
    def _readable(self) -> Source:
        if self.query is not None and not is_database(self.uri):
            msg = "a query needs a postgresql: uri"
            raise ValueError(msg)
        if self.query is not None and self.layer is not None:
            msg = "give layer or query, not both"
            raise ValueError(msg)
        return self

    @property
    def ingest_key(self) -> str:
        """Fingerprint of these options and of the ingest code: what a version depends on."""
        return fingerprint(self.model_dump(mode="json"), INGEST_VERSION)


NO_RASTER_SOURCE: Mapping[str, str] = {
    "where": "it selects features, and a raster has none",
    "query": "rasters are not read from a database",
}
"""Parameters of a source that do not apply to rasters, with the reason."""


class StaticPartitions(ContractModel):
    """A fixed list of partitions."""

    static: tuple[str, ...] = Field(min_length=1, description="Partition keys.")

    @field_validator("static")
    @classmethod
    def _distinct(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            msg = "partition keys must be distinct"
            raise ValueError(msg)
        for key in value:
            for refused in NO_PARTITION_KEY:
                if refused in key:
                    msg = f"Dagster refuses the partition key {key!r}: it contains {refused!r}"
                    raise ValueError(msg)
        return value


class DailyPartitions(ContractModel):
    """One partition per day (key YYYY-MM-DD)."""

    daily: date = Field(description="First day.")


class DynamicPartitions(ContractModel):
    """Partitions that appear while the pipeline runs."""

    dynamic: str = Field(
        min_length=1, description="Name of Dagster's dynamic partitions definition."
    )


class GeometryColumn(ContractModel):
    """Geometry column of the published table; defaults come from source, table and data."""

    type: GeometryTypeName | None = Field(
        None, description="Type and dimensions, spelt as in PostGIS: MultiPolygonZ."
    )
    srid: int | None = Field(
        None,
        ge=1,
        le=MAX_SRID,
        description="SRID in spatial_ref_sys; added with the CRS of the source if it is free.",
    )
    nullable: StrictBool | None = Field(
        None, description="false: the column is NOT NULL, and a version with nulls is refused."
    )

    @property
    def parsed(self) -> GeometryType | None:
        """The type as a value."""
        return None if self.type is None else GeometryType.parse(self.type)


class Publish(ContractModel):
    """Publication outside the store: a table in PostGIS."""

    table: str = Field(
        description="Table in the database of SPATIAL_DATABASE_URL: schema.table, case-sensitive. "
        'Names that contain a dot or a quote need double quotes: "my.schema".t.'
    )
    geometry: GeometryTypeName | GeometryColumn | None = Field(
        None,
        description="Geometry column: a type such as MultiPolygonZ, or {type: MultiPolygonZ, "
        "srid: 25832, nullable: false}. Single geometries are promoted to Multi types.",
    )

    @field_validator("table")
    @classmethod
    def _named(cls, value: str) -> str:
        TableName.parse(value)
        return value

    @property
    def table_name(self) -> TableName:
        """Schema and table."""
        return TableName.parse(self.table)

    @property
    def geometry_column(self) -> GeometryColumn:
        """Declared geometry column."""
        if isinstance(self.geometry, str):
            return GeometryColumn(type=self.geometry)
        return self.geometry or GeometryColumn()


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
        """Columns of rules that the data spell otherwise, with the lines of the rules.

        A column without a similar one in the data is no misspelling: the data may lack it.

        Args:
            columns: names of the columns of the data.

        """
        missing = [(r, c) for r in self.rules for c in r.columns() if c not in columns]
        near = [(r, c, closest(c, columns)) for r, c in missing]
        return [
            Mistake(
                self.path,
                None if self.path is None else self.line_of(rule.check_name),
                f"{rule.check_name}: the data have no column {name!r}{similar.hint}",
            )
            for rule, name, similar in near
            if similar.word is not None
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
