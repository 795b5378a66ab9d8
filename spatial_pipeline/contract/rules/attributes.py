"""Rules about the values of attribute columns."""

import datetime as dt
import re
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from spatial_pipeline.contract.rules.base import ColumnNames, Other, OtherDataset, OtherSource
from spatial_pipeline.contract.rules.metadata import MetadataRule
from spatial_pipeline.contract.rules.usable import Needs
from spatial_pipeline.contract.vocabulary import Scope

Cell = bool | int | float | dt.datetime | dt.date | str


def _expression(text: str) -> str:
    try:
        re.compile(text)
    except re.error as exc:
        msg = f"{text!r} is not a regular expression: {exc}"
        raise ValueError(msg) from exc
    return text


class ColumnRule(MetadataRule):
    """A rule about the values of columns."""

    scope: ClassVar[Scope] = Scope.FEATURE
    iso_element: ClassVar[str] = "domain consistency"


class DatasetColumn(OtherDataset):
    """A column of another dataset of the project."""

    column: str = Field(description="Column that holds the values.")


class SourceColumn(OtherSource):
    """A column of another source."""

    column: str = Field(description="Column that holds the values.")


class AllowedValues(ColumnRule):
    """Every value of a column is in a list, or in a code table. Nulls are ignored."""

    rule: Literal["allowed_values"] = "allowed_values"
    needs: ClassVar[Needs] = Needs.one("values", "other")
    column: str = Field(description="Column to check.")
    values: Annotated[tuple[Cell, ...], Field(min_length=1)] | None = Field(
        None, description="Accepted values."
    )
    other: DatasetColumn | SourceColumn | None = Field(
        None, description="Column of another dataset that holds the accepted values."
    )

    def others(self) -> tuple[Other, ...]:
        """The code table, when the contract names one."""
        return () if self.other is None else (self.other,)

    def columns(self) -> tuple[str, ...]:
        """The column named by the contract."""
        return (self.column,)


class Matches(ColumnRule):
    """Every value of a column matches a regular expression as a whole. Nulls are ignored."""

    rule: Literal["matches"] = "matches"
    column: str = Field(
        description="Column of text, or of integers or dates, which are matched as text."
    )
    pattern: Annotated[str, Field(min_length=1), AfterValidator(_expression)] = Field(
        description="Regular expression in RE2 syntax."
    )

    def columns(self) -> tuple[str, ...]:
        """The column named by the contract."""
        return (self.column,)


class TextEncoding(ColumnRule):
    """Text has no replacement characters, control characters or mojibake, and is in NFC."""

    rule: Literal["text_encoding"] = "text_encoding"
    columns_: ColumnNames = Field(alias="columns", description="Text columns to check.")

    def columns(self) -> tuple[str, ...]:
        """The columns named by the contract."""
        return self.columns_


class AllowedCombinations(ColumnRule):
    """The values of several columns form an allowed combination, or none that is forbidden."""

    rule: Literal["allowed_combinations"] = "allowed_combinations"
    columns_: ColumnNames = Field(
        alias="columns", description="Columns whose values form a combination."
    )
    combinations: tuple[tuple[Cell | None, ...], ...] = Field(
        min_length=1, description="Combinations, each with one value per column; null is a value."
    )
    mode: Literal["allow", "forbid"] = Field(
        "allow", description="allow: only these combinations may occur; forbid: none of them may."
    )
    wildcard: str | None = Field(
        None, min_length=1, description="Text that matches any value in a combination."
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        wrong = [c for c in self.combinations if len(c) != len(self.columns_)]
        if wrong:
            msg = f"combinations: {list(wrong[0])} must have one value for each of the columns"
            raise ValueError(msg)
        return self

    def columns(self) -> tuple[str, ...]:
        """The columns named by the contract."""
        return self.columns_


class Expression(ColumnRule):
    """A SQL expression over the columns is true for every row. Rows where it is null are ignored.

    DuckDB evaluates it row by row, without files, network, subqueries, windows or aggregates.
    """

    rule: Literal["expression"] = "expression"
    sql: str = Field(
        min_length=1, description="SQL expression (DuckDB) that is true or false for a row."
    )

    def conditions(self) -> tuple[str, ...]:
        """The expression."""
        return (self.sql,)
