"""Rules about how features lie to features of another dataset, or of their own."""

import re
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from spatial_pipeline.contract.rules.base import Area, Length, Other
from spatial_pipeline.contract.rules.others import OthersRule
from spatial_pipeline.contract.rules.topology import TopologyRule
from spatial_pipeline.contract.rules.usable import Needs
from spatial_pipeline.contract.vocabulary import Scope

PREDICATES = (
    "intersects", "touches", "crosses", "overlaps", "equals",
    "contains", "contains_properly", "covers", "within", "covered_by",
)  # fmt: skip


def _predicate(value: str) -> str:
    if value in PREDICATES:
        return value
    if not re.fullmatch("[TF*012]{9}", value):
        msg = f"give one of {', '.join(PREDICATES)}, or a DE-9IM mask of nine of T, F, *, 0, 1, 2"
        raise ValueError(msg)
    if not set(value[0:2] + value[3:5]) & set("T012"):
        msg = "disjoint features match this mask: ask for a meeting of interiors or boundaries"
        raise ValueError(msg)
    return value


class OverlayRule(OthersRule, TopologyRule):
    """A rule about the features of another dataset."""

    scope: ClassVar[Scope] = Scope.COMPARISON
    judges: ClassVar[tuple[str, ...]] = ("geometry",)
    other_where: str | None = Field(
        None, description="SQL condition: only these features of the other dataset take part."
    )

    def needs_crs(self) -> bool:
        """The two datasets are brought into one CRS."""
        return True


class PairsRule(OthersRule):
    """A rule about pairs of features."""

    newer: ClassVar[frozenset[str]] = OthersRule.newer | {"unless"}
    match: dict[str, str] = Field(
        default_factory=dict,
        description="Own column → other column: only pairs with equal values are pairs.",
    )
    unless: str | None = Field(
        None,
        min_length=1,
        description="SQL over a (the feature) and b (the other one), such as a.level <> b.level: "
        "pairs for which it is true are left out.",
    )

    def columns(self) -> tuple[str, ...]:
        """The own columns that are compared."""
        return tuple(self.match)

    def conditions(self) -> tuple[str, ...]:
        """The condition on pairs."""
        return () if self.unless is None else (self.unless,)


class MatchedOverlayRule(PairsRule, OverlayRule):
    """A rule about pairs of features of two datasets."""


class OwnOrOtherRule(PairsRule, TopologyRule):
    """A rule about the features of the dataset, or of another one where it is named."""

    scope: ClassVar[Scope] = Scope.NEIGHBOURHOOD
    judges: ClassVar[tuple[str, ...]] = ("geometry",)
    other_needed: ClassVar[bool] = False
    other: Other | None = Field(
        None, description="The other dataset; without one, the dataset itself."
    )
    other_where: str | None = Field(
        None, description="SQL condition: only these features of the other dataset take part."
    )

    def needs_crs(self) -> bool:
        """Two datasets are brought into one CRS."""
        return bool(self.others())


class RelationRule(OwnOrOtherRule):
    """Features have a spatial relation to a number of other features, or to none."""

    rule: Literal["relation"] = "relation"
    predicate: Annotated[str, AfterValidator(_predicate)] = Field(
        description="Relation of a feature to another: intersects, touches, crosses, overlaps, "
        "equals, contains, contains_properly, covers, within, covered_by, or a DE-9IM mask."
    )
    must: Literal["exist", "not_exist"] = Field(
        "exist", description="exist counts the related features, not_exist names each pair."
    )
    min: int | None = Field(
        None, ge=0, description="Smallest number of related features; 1 unless max is given."
    )
    max: int | None = Field(None, ge=0, description="Largest number of related features.")
    tolerance: Area = Field(
        0.0, description="not_exist: intersections of at most this area (lines: length) pass."
    )

    @model_validator(mode="after")
    def _counts_or_pairs(self) -> Self:
        if self.must == "not_exist" and (self.min is not None or self.max is not None):
            msg = "min and max count what must exist: leave them out, or leave must out"
            raise ValueError(msg)
        if self.must == "exist" and self.tolerance:
            msg = "tolerance accepts pairs that must not exist: give must: not_exist too"
            raise ValueError(msg)
        return self


class MustNotOverlapWith(MatchedOverlayRule):
    """No polygon shares area, and no line shares a section, with one of another dataset."""

    rule: Literal["must_not_overlap_with"] = "must_not_overlap_with"
    judges: ClassVar[tuple[str, ...]] = ("polygon", "line")
    tolerance: Area = Field(
        0.0, description="Overlaps of at most this area (lines: length) are accepted."
    )


class MustCoverEachOther(OverlayRule):
    """Two datasets cover each other: no part of either lies outside the union of the other.

    Polygons are covered by polygons, lines by polygons and lines, points by anything. Slivers of
    differently digitised boundaries are violations unless the tolerance accepts them.
    """

    rule: Literal["must_cover_each_other"] = "must_cover_each_other"
    tolerance: Area = Field(
        0.0, description="Uncovered parts of at most this area (lines: length) are accepted."
    )


class MustBeCoveredByOne(MatchedOverlayRule):
    """Every feature is covered by a single feature of the other dataset."""

    rule: Literal["must_be_covered_by_one"] = "must_be_covered_by_one"


class MustBeProperlyInside(MatchedOverlayRule):
    """Every feature lies in a polygon of the other dataset without touching its boundary."""

    rule: Literal["must_be_properly_inside"] = "must_be_properly_inside"


class MustContainPoint(MatchedOverlayRule):
    """Every polygon contains a point of the other dataset; points on its boundary do not count."""

    rule: Literal["must_contain_point"] = "must_contain_point"
    judges: ClassVar[tuple[str, ...]] = ("polygon",)


class MustContainOnePoint(MatchedOverlayRule):
    """Every polygon contains one point feature of the other dataset, no more and no less."""

    rule: Literal["must_contain_one_point"] = "must_contain_one_point"
    judges: ClassVar[tuple[str, ...]] = ("polygon",)


class CountInside(MatchedOverlayRule):
    """The number of features of another dataset in or at each polygon is within bounds."""

    rule: Literal["count_inside"] = "count_inside"
    judges: ClassVar[tuple[str, ...]] = ("polygon",)
    needs: ClassVar[Needs] = Needs.some("min", "max")
    min: int | None = Field(None, ge=0, description="Smallest number of features.")
    max: int | None = Field(None, ge=0, description="Largest number of features.")


class MustNotContain(OwnOrOtherRule):
    """No polygon contains a feature."""

    rule: Literal["must_not_contain"] = "must_not_contain"
    judges: ClassVar[tuple[str, ...]] = ("polygon",)


class MustNotBeContainedBy(OwnOrOtherRule):
    """No feature is contained in a polygon."""

    rule: Literal["must_not_be_contained_by"] = "must_not_be_contained_by"


class MustBeDisjoint(OwnOrOtherRule):
    """Features share no point, not even on their boundaries."""

    rule: Literal["must_be_disjoint"] = "must_be_disjoint"
    tolerance: Area = Field(
        0.0, description="Intersections of at most this area (lines: length) are accepted."
    )


class MinDistance(OwnOrOtherRule):
    """Features keep a distance from each other."""

    rule: Literal["min_distance"] = "min_distance"
    distance: Length = Field(gt=0, description="Smallest accepted distance.")


class MustNotIntersect(TopologyRule):
    """Lines neither cross nor run along each other; an end may lie on another line."""

    rule: Literal["must_not_intersect"] = "must_not_intersect"
    scope: ClassVar[Scope] = Scope.NEIGHBOURHOOD
    judges: ClassVar[tuple[str, ...]] = ("line",)


class MustNotIntersectWith(MatchedOverlayRule):
    """Lines neither cross lines of the other dataset nor run along them; ends may touch."""

    rule: Literal["must_not_intersect_with"] = "must_not_intersect_with"
    judges: ClassVar[tuple[str, ...]] = ("line",)


class MustBeWithinDistance(MatchedOverlayRule):
    """Every feature has others of the other dataset near it."""

    rule: Literal["must_be_within_distance"] = "must_be_within_distance"
    distance: Length = Field(gt=0, description="Distance up to which others are near.")
    min_count: int = Field(1, ge=1, description="Number of others that must be near.")
