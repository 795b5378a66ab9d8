"""Rules about features and the rows of another dataset that belong to them by key."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from spatial_pipeline.contract.rules.base import ColumnNames
from spatial_pipeline.contract.rules.metadata import MetadataRule
from spatial_pipeline.contract.rules.others import OthersRule
from spatial_pipeline.contract.rules.usable import Needs
from spatial_pipeline.contract.vocabulary import Scope

Comparison = Literal["=", "!=", "<", "<=", ">", ">="]


class JoinRule(OthersRule, MetadataRule):
    """A rule about the rows of another dataset with the key of a feature.

    A key with a null in it relates to nothing: such features are not judged, and counted.
    """

    scope: ClassVar[Scope] = Scope.COMPARISON
    iso_element: ClassVar[str] = "logical consistency"
    other_where: str | None = Field(
        None, description="SQL condition: only these rows of the other dataset take part."
    )
    unless: str | None = Field(
        None,
        min_length=1,
        description="SQL over a (the feature) and b (the related row), such as a.state = b.state: "
        "pairs for which it is true are not related.",
    )

    @property
    def own_key(self) -> tuple[str, ...]:
        """Key columns of the features."""
        raise NotImplementedError

    @property
    def other_key(self) -> tuple[str, ...]:
        """Key columns of the other dataset, in the same order."""
        raise NotImplementedError

    @property
    def pair_sql(self) -> tuple[str, ...]:
        """SQL over pairs."""
        return () if self.unless is None else (self.unless,)

    def columns(self) -> tuple[str, ...]:
        """The key columns."""
        return self.own_key


class ForeignKey(JoinRule):
    """Every key exists in another dataset."""

    rule: Literal["foreign_key"] = "foreign_key"
    columns_: ColumnNames = Field(alias="columns", description="Columns of the key.")
    other_columns: ColumnNames | None = Field(
        None, description="Columns of the other dataset, in the same order; the same names unless "
        "given."
    )  # fmt: skip

    @model_validator(mode="after")
    def _as_many(self) -> Self:
        if self.other_columns is not None and len(self.other_columns) != len(self.columns_):
            msg = "other_columns: give one for each of the columns"
            raise ValueError(msg)
        return self

    @property
    def own_key(self) -> tuple[str, ...]:
        """The columns named by the contract."""
        return self.columns_

    @property
    def other_key(self) -> tuple[str, ...]:
        """The columns of the other dataset."""
        return self.other_columns or self.columns_


class KeyedRule(JoinRule):
    """A rule whose key is written as a mapping."""

    keys: Annotated[dict[str, str], Field(min_length=1)] = Field(
        description="Own column → column of the other dataset; rows with equal values are related."
    )

    @property
    def own_key(self) -> tuple[str, ...]:
        """The own columns."""
        return tuple(self.keys)

    @property
    def other_key(self) -> tuple[str, ...]:
        """The columns of the other dataset."""
        return tuple(self.keys.values())


class RelatedCount(KeyedRule):
    """The number of related rows in another dataset is within bounds for every feature."""

    rule: Literal["related_count"] = "related_count"
    needs: ClassVar[Needs] = Needs.some("min", "max")
    min: int | None = Field(None, ge=0, description="Minimum number of related rows.")
    max: int | None = Field(None, ge=0, description="Maximum number of related rows.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min is not None and self.max is not None and self.min > self.max:
            msg = "min is larger than max"
            raise ValueError(msg)
        return self


class RelatedValues(KeyedRule):
    """Values of a feature satisfy a comparison with those of each related row.

    Features without a related row are not judged, and counted; nor are pairs with a null.
    """

    rule: Literal["related_values"] = "related_values"
    iso_element: ClassVar[str] = "domain consistency"
    needs: ClassVar[Needs] = Needs.one("compare", "sql")
    compare: tuple[tuple[str, Comparison, str], ...] | None = Field(
        None, description="[own column, operator, other's column], each true for every related row."
    )
    sql: str | None = Field(
        None, description="SQL over a (the feature) and b (the related row), true for every pair."
    )

    @property
    def pair_sql(self) -> tuple[str, ...]:
        """SQL over pairs."""
        return (*super().pair_sql, *(() if self.sql is None else (self.sql,)))

    def columns(self) -> tuple[str, ...]:
        """The key columns, and those that are compared."""
        return tuple(dict.fromkeys((*self.own_key, *(own for own, _, _ in self.compare or ()))))

    @property
    def other_columns(self) -> tuple[str, ...]:
        """Columns of the other dataset that are compared."""
        return tuple(other for _, _, other in self.compare or ())


__all__ = ["ForeignKey", "JoinRule", "RelatedCount", "RelatedValues"]
