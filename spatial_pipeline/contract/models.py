"""The contract of one dataset: what a person writes."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import ClassVar

from pydantic import Field, PrivateAttr, field_validator, model_validator

from spatial_pipeline.contract.database_url import is_database
from spatial_pipeline.contract.rules import AnyRule, Rule
from spatial_pipeline.contract.rules.base import ContractModel
from spatial_pipeline.contract.rules.metadata import Readable
from spatial_pipeline.contract.rules.parity import StagedMatchesSource
from spatial_pipeline.contract.table_name import TableName
from spatial_pipeline.versions import Kind, fingerprint

ALWAYS_ON: tuple[Rule, ...] = (Readable(), StagedMatchesSource())
"""Rules of every contract, whether it names them or not."""


class Source(ContractModel):
    """Where the data comes from."""

    uri: str = Field(
        min_length=1,
        description="Path relative to the contract file, a zip, or package://name/path for data "
        "that ships in a Python package, or a database: postgresql: for SPATIAL_DATABASE_URL, "
        "postgresql://user@host/database; {partition} is filled in.",
    )
    layer: str | None = Field(
        None, description="Layer of a container with several; schema.table of a database."
    )
    query: str | None = Field(
        None, description="SELECT whose rows are read instead of a table; databases only."
    )
    where: str | None = Field(
        None, description="SQL condition (DuckDB) over the columns: only these features are taken."
    )

    @model_validator(mode="after")
    def _readable(self) -> Source:
        if self.query is not None and not is_database(self.uri):
            msg = "a query needs a postgresql: uri"
            raise ValueError(msg)
        if self.query is not None and self.layer is not None:
            msg = "give layer or query, not both"
            raise ValueError(msg)
        return self


class StaticPartitions(ContractModel):
    """A fixed list of partitions."""

    static: tuple[str, ...] = Field(min_length=1, description="Partition keys.")

    @field_validator("static")
    @classmethod
    def _distinct(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            msg = "partition keys are distinct"
            raise ValueError(msg)
        return value


class DailyPartitions(ContractModel):
    """One partition a day (key YYYY-MM-DD)."""

    daily: date = Field(description="First day.")


class DynamicPartitions(ContractModel):
    """Partitions that appear while the pipeline runs."""

    dynamic: str = Field(description="Name of the dynamic partition set.")


class Publish(ContractModel):
    """Where readers find the dataset beside the files of the store."""

    table: str = Field(
        description="Table in the database of SPATIAL_DATABASE_URL: schema.table, taken literally; "
        'a part that contains a dot or a quote stands in double quotes ("my.schema".t).'
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
    owners: tuple[str, ...] = Field((), description="team:name or e-mail addresses.")
    source: Source = Field(description="Where the data comes from.")
    partitions: StaticPartitions | DailyPartitions | DynamicPartitions | None = Field(
        None, description="{static: [...]}, {daily: first day} or {dynamic: name}."
    )
    schedule: str | None = Field(None, description="Cron expression of the nightly run (UTC).")
    rules: tuple[AnyRule, ...] = Field((), description="What must hold before publication.")

    _path: Path | None = PrivateAttr(None)
    _lines: dict[str, int] = PrivateAttr(default_factory=dict)

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
        if (self.partitions is None) == ("{partition}" in self.source.uri):
            mistakes.append("a partitioned dataset has {partition} in source.uri, and no other has")
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
    def base(self) -> Path:
        """The folder that relative URIs are relative to."""
        return self._path.parent if self._path is not None else Path.cwd()

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


class VectorContract(DatasetContract):
    """Contract of a vector dataset."""

    kind: ClassVar[Kind] = "vector"
    type_name: ClassVar[str] = "spatial_pipeline.VectorDataset"

    key: tuple[str, ...] = Field(
        (), description="Columns that identify a feature in violations and parity."
    )
    publish: Publish | None = Field(
        None, description="{table: schema.table} of a PostGIS database; files only without it."
    )

    @property
    def key_columns(self) -> tuple[str, ...]:
        """Columns that identify a feature in violations; empty means source rows."""
        return self.key

    @property
    def table(self) -> TableName | None:
        """The table that the dataset is published to, None when it goes to files only."""
        return None if self.publish is None else self.publish.table_name


class RasterContract(DatasetContract):
    """Contract of a raster dataset."""

    kind: ClassVar[Kind] = "raster"
    type_name: ClassVar[str] = "spatial_pipeline.RasterDataset"


Contract = VectorContract | RasterContract
MODELS: dict[str, type[VectorContract] | type[RasterContract]] = {
    m.type_name: m for m in (VectorContract, RasterContract)
}
