"""The contract of one dataset: what a person writes."""

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


class Source(ContractModel):
    """Where the data comes from."""

    model_config = ConfigDict(json_schema_extra=without_layer)

    uri: str = Field(
        min_length=1,
        description="Path relative to the contract file, a zip, or package://name/path for data "
        "that ships in a Python package, or a URL: http, https, s3, gs, az, or a database: "
        "postgresql: for SPATIAL_DATABASE_URL, postgresql://user@host/database; {partition} is "
        "filled in.",
    )
    layer: Annotated[str | None, AfterValidator(layer_of)] = Field(
        None, description="Layer of a container with several; schema.table of a database."
    )
    query: str | None = Field(
        None, description="SELECT whose rows are read instead of a table; databases only."
    )
    where: str | None = Field(
        None, description="SQL condition (DuckDB) over the columns: only these features are taken."
    )

    encoding: str | None = Field(
        None,
        description="Encoding of texts (Python's name, as cp1252) where the file declares none or "
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
            msg = f"unknown encoding {value!r}"
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
"""Parameters of a source that rasters have no use for, with the reason."""


class StaticPartitions(ContractModel):
    """A fixed list of partitions."""

    static: tuple[str, ...] = Field(min_length=1, description="Partition keys.")

    @field_validator("static")
    @classmethod
    def _distinct(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            msg = "partition keys are distinct"
            raise ValueError(msg)
        for key in value:
            for refused in NO_PARTITION_KEY:
                if refused in key:
                    msg = f"Dagster refuses the partition key {key!r}: it contains {refused!r}"
                    raise ValueError(msg)
        return value


class DailyPartitions(ContractModel):
    """One partition a day (key YYYY-MM-DD)."""

    daily: date = Field(description="First day.")


class DynamicPartitions(ContractModel):
    """Partitions that appear while the pipeline runs."""

    dynamic: str = Field(min_length=1, description="Name of the dynamic partition set.")


class GeometryColumn(ContractModel):
    """Geometry column of the published table; what is left out follows source, table and data."""

    type: GeometryTypeName | None = Field(
        None, description="Type and dimensions as PostGIS spells them: MultiPolygonZ."
    )
    srid: int | None = Field(
        None,
        ge=1,
        le=MAX_SRID,
        description="Number in spatial_ref_sys; made with the CRS of the source when it is free.",
    )
    nullable: StrictBool | None = Field(
        None, description="false: the column is NOT NULL, and a version with nulls is refused."
    )

    @property
    def parsed(self) -> GeometryType | None:
        """The type as a value."""
        return None if self.type is None else GeometryType.parse(self.type)


class Publish(ContractModel):
    """Where readers find the dataset beside the files of the store."""

    table: str = Field(
        description="Table in the database of SPATIAL_DATABASE_URL: schema.table, taken literally; "
        'a part that contains a dot or a quote stands in double quotes ("my.schema".t).'
    )
    geometry: GeometryTypeName | GeometryColumn | None = Field(
        None,
        description="Type of the geometry column, as MultiPolygonZ, or {type: MultiPolygonZ, "
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
    """How partitions are made again after a change."""

    order: Literal["newest", "oldest"] = Field(
        "newest", description="Which partitions come first, in the order of the partition keys."
    )
    at_most: int = Field(4, ge=1, description="Partitions that are made again at a time.")


class DatasetContract(ContractModel):
    """What vector and raster contracts have in common."""

    kind: ClassVar[Kind]
    type_name: ClassVar[str]

    name: str = Field(
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        max_length=100,
        description="Name of the dataset: letters, digits and underscores.",
    )
    description: str = Field("", description="One sentence for the catalogue and the UI.")
    group: str | None = Field(
        None, pattern=r"^[A-Za-z0-9_]+$", description="Asset group in the Dagster UI."
    )
    owners: tuple[Owner, ...] = Field((), description="team:name or e-mail addresses.")
    source: Source = Field(description="Where the data comes from.")
    partitions: StaticPartitions | DailyPartitions | DynamicPartitions | None = Field(
        None, description="{static: [...]}, {daily: first day} or {dynamic: name}."
    )
    schedule: str | Scheduled | None = Field(
        None,
        description="Cron expression of the nightly run, in the time zone of the contract; "
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
        "UTC", description="Time zone of cron expressions and daily partitions: Europe/Berlin."
    )
    watch: StrictBool | Watch = Field(
        False, description="true or {every: 5m}: look at the source, run when it changed."
    )
    automation: Automation | None = Field(
        None,
        description="Declarative automation: eager, on_missing or {on_cron: cron expression}.",
    )
    freshness: Freshness | None = Field(
        None,
        description="When published data are late: {at_most: 26h} or {deadline: cron expression, "
        "within: 8h}.",
    )
    rules: tuple[AnyRule, ...] = Field(
        (),
        description="What must hold before publication; at least one where the key is written.",
        json_schema_extra={"minItems": 1},
    )
    on_schema_change: Literal["hold", "accept_additive", "backfill"] = Field(
        "hold",
        description="When the schema of the source differs from the published one's and no rule "
        "declares it: hold until a person accepts it, let added nullable columns pass, or accept "
        "it and make the partitions again that were built before.",
    )
    backfill: Backfill | None = Field(
        None,
        description="{order: newest | oldest, at_most: 4} of on_schema_change: backfill, for "
        "partitioned datasets.",
    )

    _path: Path | None = PrivateAttr(None)
    _lines: dict[str, int] = PrivateAttr(default_factory=dict)
    _key_lines: tuple[int, ...] = PrivateAttr(())

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
        """How the source is looked at, None when it is not."""
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
        """Hash of all rules with their parameters: what a verdict is good for."""
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
        (), description="Columns that identify a feature in violations and parity."
    )
    publish: Publish | None = Field(
        None,
        description="{table: schema.table, geometry: MultiPolygonZ} of a PostGIS database; files "
        "only without it.",
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
        description="Where the data comes from.",
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
