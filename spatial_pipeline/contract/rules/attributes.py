"""Rules about the values of attribute columns."""

from __future__ import annotations

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
        msg = f"{text!r} is no regular expression: {exc}"
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
    """Every value of a column is one of a list or of a code table; nulls are not judged."""

    rule: Literal["allowed_values"] = "allowed_values"
    needs: ClassVar[Needs] = Needs.one("values", "other")
    column: str = Field(description="Column to judge.")
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
    """Every value of a column is text of a pattern, from its beginning to its end."""

    rule: Literal["matches"] = "matches"
    column: str = Field(description="Column to judge; text, or whole numbers and days as text.")
    pattern: Annotated[str, Field(min_length=1), AfterValidator(_expression)] = Field(
        description="Regular expression (RE2 syntax) that the whole value matches."
    )

    def columns(self) -> tuple[str, ...]:
        """The column named by the contract."""
        return (self.column,)


class TextEncoding(ColumnRule):
    """Texts hold no replacement characters, control characters or mojibake, and are NFC."""

    rule: Literal["text_encoding"] = "text_encoding"
    columns_: ColumnNames = Field(alias="columns", description="Text columns to judge.")

    def columns(self) -> tuple[str, ...]:
        """The columns named by the contract."""
        return self.columns_


class AllowedCombinations(ColumnRule):
    """The values of some columns occur together as a list says."""

    rule: Literal["allowed_combinations"] = "allowed_combinations"
    columns_: ColumnNames = Field(alias="columns", description="Columns of a combination.")
    combinations: tuple[tuple[Cell | None, ...], ...] = Field(
        min_length=1, description="Combinations, each a value for every column; null is a value."
    )
    mode: Literal["allow", "forbid"] = Field(
        "allow", description="allow accepts only these combinations, forbid all others."
    )
    wildcard: str | None = Field(
        None, min_length=1, description="Text that stands for any value in a combination."
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        wrong = [c for c in self.combinations if len(c) != len(self.columns_)]
        if wrong:
            msg = f"combinations: {list(wrong[0])} has not one value for each of the columns"
            raise ValueError(msg)
        return self

    def columns(self) -> tuple[str, ...]:
        """The columns named by the contract."""
        return self.columns_


class Expression(ColumnRule):
    """A SQL expression over the columns is true for every row; where it is null, nothing is judged.

    DuckDB evaluates it, row by row: without files, network, queries, windows or aggregates.
    """

    rule: Literal["expression"] = "expression"
    sql: str = Field(
        min_length=1, description="SQL expression (DuckDB) that is true or false for a row."
    )

    def conditions(self) -> tuple[str, ...]:
        """The expression."""
        return (self.sql,)
