"""Base classes of the rule models: parameters and class attributes that all rules share.

Annotations in the modules of models are values, not text (no ``from __future__ import
annotations``): pydantic would compile and evaluate the text again for each subclass.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PrivateAttr,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from spatial_pipeline.contract import remote_url
from spatial_pipeline.contract.layers import layer_of, without_layer
from spatial_pipeline.contract.rules.suppressions import Areas, content_of
from spatial_pipeline.contract.rules.usable import RASTER as NO_RASTER
from spatial_pipeline.contract.rules.usable import TWO_GRADES, Needs
from spatial_pipeline.contract.vocabulary import Family, Kind, Scope, Severity
from spatial_pipeline.runtime.hashing import fingerprint

BOTH: frozenset[Kind] = frozenset({"vector", "raster"})
VECTOR: frozenset[Kind] = frozenset({"vector"})
RASTER: frozenset[Kind] = frozenset({"raster"})

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
LENGTH, AREA = "length", "area"
MEASURES = (LENGTH, AREA)
Length = Annotated[float, Field(ge=0, allow_inf_nan=False), LENGTH]
"""In units of the CRS; a message says when these are degrees."""
Area = Annotated[float, Field(ge=0, allow_inf_nan=False), AREA]
"""In squared units of the CRS."""
Fraction = Annotated[float, Field(ge=0, le=1)]
Grade = Annotated[int, Field(ge=1)] | Annotated[float, Field(gt=0, lt=1)]
"""Violations at which a rule warns or fails: their number, or a fraction of what is checked."""
DELIVERY, TIME = "delivery", "time"
"""What a rule may judge of a source beside its content: files it came with, its last change."""
Key = str | int | float | bool | None
ColumnNames = Annotated[tuple[str, ...], Field(min_length=1)]


class ContractModel(BaseModel):
    """Base of all models of a contract: unknown keys are mistakes, values are immutable.

    A model is built when it is used first: a contract uses few of the rules.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class OtherDataset(ContractModel):
    """Another dataset of the project, in its published version."""

    dataset: str = Field(description="Name of another dataset. Its published version is used.")


class OtherSource(ContractModel):
    """Another source, read at the time of the check."""

    model_config = ConfigDict(json_schema_extra=without_layer)

    uri: Annotated[str, AfterValidator(remote_url.possible)] = Field(
        description="URI of the source. A path is relative to the contract file."
    )
    layer: Annotated[str | None, AfterValidator(layer_of)] = Field(
        None, description="Layer, if the source has several."
    )


class LastPublished(ContractModel):
    """The version of the dataset itself that readers see now; there may be none yet."""


class EarlierPublished(LastPublished):
    """All versions that were published before that one and are still in the store."""


LAST_PUBLISHED, EARLIER_PUBLISHED = LastPublished(), EarlierPublished()
Other = OtherDataset | OtherSource


class ClassLimits(ContractModel):
    """A limit for each class of features."""

    by: str = Field(description="Column that holds the class of a feature.")
    values: dict[str, NotNegative] = Field(
        min_length=1, description="Limit per class. The key else applies to all other classes."
    )


class Rule(ContractModel):
    """One requirement with its parameters; a subclass for each rule of the catalogue.

    Subclasses set ``rule`` to a Literal of the id and the class variables below; their docstring is
    the rule's description in the catalogue.
    """

    family: ClassVar[Family]
    scope: ClassVar[Scope]
    kinds: ClassVar[frozenset[Kind]] = VECTOR
    iso_element: ClassVar[str]
    judges: ClassVar[tuple[str, ...]] = ()
    """Kinds of geometry of which a feature must be one for being judged: ``line``, ``polygon`` or
    ``geometry`` for all; empty for other rules."""
    judges_unreadable_source: ClassVar[bool] = False
    """True for rules that say what is wrong with a source that cannot be read."""
    names_neighbours: ClassVar[bool] = False
    """True for rules whose violations name features beside a defect, which are not at fault."""
    newer: ClassVar[frozenset[str]] = frozenset({"if_present"})
    """Parameters that came later: they are part of the hash only where they are set, so that
    verdicts of rules without them stay good."""
    needs: ClassVar[Needs] = Needs()
    ignores: ClassVar[Mapping[str, str]] = {}
    """Common parameters that it cannot use, with the reason; see ``unusable``."""

    rule: str
    name: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_]+$",
        description="Name of the check, unique in the contract. Default: the rule's id.",
    )
    severity: Severity = Field(
        Severity.ERROR, description="error blocks publication; warn only reports."
    )
    max_violations: int = Field(0, ge=0, description="Number of violations that are accepted.")
    max_fraction: Fraction | None = Field(
        None, description="Accepted violations as a fraction of the features or pixels checked."
    )
    warn_at: Grade | None = Field(
        None,
        description="Number of violations (below 1: fraction of what was checked) at which "
        "the rule warns. Used with error_at, instead of severity and max_violations.",
    )
    error_at: Grade | None = Field(
        None, description="Number of violations, or fraction, at which the rule blocks publication."
    )
    where: str | None = Field(
        None, description="SQL condition (DuckDB). Only features that meet it are checked."
    )
    timeout_s: Positive = Field(
        3600.0,
        description="Working time in seconds, summed over threads, after which the rule stops.",
    )

    except_: Areas | None = Field(
        None,
        alias="except",
        description="File of polygons. Violations inside them are accepted and counted.",
    )
    only_within: Areas | None = Field(
        None,
        description="Polygons in a file: only violations that touch them count, others are "
        "accepted.",
    )
    except_keys: tuple[tuple[Key, ...], ...] = Field(
        (),
        description="Keys of features. A violation is accepted if every feature in it is listed.",
    )
    baseline: str | None = Field(
        None,
        min_length=1,
        description="JSON file of accepted violations, relative to the contract file, written by "
        "check --write-baseline. Only violations that are not in it count.",
    )
    if_present: bool = Field(
        False,
        description="Pass when no feature has a geometry that the rule applies to, such as a line; "
        "otherwise the rule fails because it has nothing to judge.",
    )

    _base: Path | None = PrivateAttr(None)
    _contents: tuple[str, ...] | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if self.max_fraction is not None and self.max_violations:
            msg = "give max_violations or max_fraction, not both"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _two_grades(self) -> Self:
        if self.warn_at is None and self.error_at is None:
            return self
        if self.warn_at is None or self.error_at is None:
            msg = "warn_at and error_at go together"
        elif isinstance(self.warn_at, int) != isinstance(self.error_at, int):
            msg = "warn_at and error_at are two numbers of violations, or two shares below 1"
        elif self.warn_at >= self.error_at:
            msg = "warn_at must be smaller than error_at"
        elif self.severity is not Severity.ERROR or self.max_violations or self.max_fraction:
            msg = "warn_at and error_at stand in place of severity, max_violations and max_fraction"
        else:
            return self
        raise ValueError(msg)

    @model_validator(mode="after")
    def _usable(self) -> Self:
        everywhere = set.intersection(*(set(self.unusable(k)) for k in self.kinds))
        mistakes = [m for m in self.unused(next(iter(self.kinds))) if m[0] in everywhere]
        if mistakes:
            raise ValueError("; ".join(f"{name}: {reason}" for name, reason in mistakes))
        by_name = {f.alias or n: getattr(self, n) for n, f in type(self).model_fields.items()}
        mistake = self.needs.mistake(by_name)
        if mistake:
            raise ValueError(mistake)
        return self

    @classmethod
    def unusable(cls, kind: Kind) -> Mapping[str, str]:
        """Common parameters that the rule cannot use for data of a kind, with the reason."""
        always = {} if cls.judges else {"if_present": "the rule applies to any features"}
        return {**(NO_RASTER if kind == "raster" else {}), **always, **cls.ignores}

    def unused(self, kind: Kind) -> list[tuple[str, str]]:
        """Parameters of this rule that it cannot use for data of a kind, with the reason."""
        names = {f.alias or n: n for n, f in type(self).model_fields.items()}
        return [
            (name, reason)
            for name, reason in self.unusable(kind).items()
            if getattr(self, names[name]) != type(self).model_fields[names[name]].default
        ]

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Leaves out what the rule cannot use, and adds what it needs."""
        reference = handler(core_schema)
        schema = handler.resolve_ref_schema(reference)
        for name in set.intersection(*(set(cls.unusable(k)) for k in cls.kinds)):
            schema["properties"].pop(name, None)
        schema.update(cls.needs.schema())
        if "warn_at" in schema["properties"]:
            schema.setdefault("allOf", []).append(TWO_GRADES)
        return reference

    @property
    def check_name(self) -> str:
        """Name of the check: ``name``, else the rule's id."""
        return self.name or self.rule

    @property
    def graded(self) -> bool:
        """True when the number of violations decides whether the rule warns or blocks."""
        return self.error_at is not None

    @property
    def holds_for_all(self) -> bool:
        """True when no violation, of any feature, lets a version through."""
        return (
            self.severity is Severity.ERROR
            and self.where is None
            and not self.max_violations
            and not self.max_fraction
            and not self.graded
        )

    @property
    def hash(self) -> str:
        """Hash of the rule with everything that can change its result.

        The files of accepted violations are read each time, so that a
        verdict is good only for what was accepted when it was made.
        """
        fields = type(self).model_fields
        unset = {name for name in self.newer if getattr(self, name) == fields[name].default}
        values = self.model_dump(mode="json", exclude=unset)
        return fingerprint(values, self.contents) if self.accepts else fingerprint(values)

    @property
    def accepts(self) -> bool:
        """True when some violations may be accepted."""
        files = (self.except_, self.only_within, self.baseline)
        return bool(self.except_keys) or any(f is not None for f in files)

    @property
    def contents(self) -> tuple[str, ...]:
        """Content of the areas and of the baseline, now or when the rule was pinned."""
        if self._contents is not None:
            return self._contents
        areas = (None if a is None else a.uri for a in (self.except_, self.only_within))
        names = (*areas, self.baseline)
        return tuple("" if n is None else content_of(self.base / n) for n in names)

    @property
    def base(self) -> Path:
        """Folder that its files are relative to."""
        return self._base or Path.cwd()

    def placed(self, base: Path) -> Self:
        """The rule of a contract in this folder."""
        if not self.accepts:
            return self
        rule = self.model_copy()
        rule._base = base  # noqa: SLF001 - its own copy
        rule._contents = None  # noqa: SLF001
        return rule

    def pinned(self) -> Self:
        """The rule with what it accepts as it is now: its hash stays when the files change."""
        if not self.accepts:
            return self
        rule = self.model_copy()
        rule._contents = self.contents  # noqa: SLF001 - its own copy
        return rule

    def columns(self) -> tuple[str, ...]:
        """Attribute columns that the rule reads, beside those of ``where``."""
        return ()

    def conditions(self) -> tuple[str, ...]:
        """SQL over columns, beside ``where``: the columns that it names are read as well."""
        return ()

    def others(self) -> tuple[Other | LastPublished, ...]:
        """Other data that the rule reads."""
        return ()

    @property
    def beside(self) -> tuple[str, ...]:
        """What it judges of a source beside its content, which becomes part of its versions."""
        return ()

    @property
    def together(self) -> int:
        """Number of the first of the others that are read as one layer; 0 where none are."""
        return 0

    def other_kind(self, kind: Kind) -> Kind:
        """Kind of the other data for a dataset of this kind."""
        return kind

    def needs_crs(self) -> bool:
        """True when the rule is meaningless without a CRS."""
        return False


def rule_id(model: type[Rule]) -> str:
    """The id of a rule class (the value of its ``rule`` Literal)."""
    annotation: Any = model.model_fields["rule"].annotation
    return str(annotation.__args__[0])


__all__ = [
    "AREA",
    "BOTH",
    "DELIVERY",
    "EARLIER_PUBLISHED",
    "LAST_PUBLISHED",
    "LENGTH",
    "MEASURES",
    "RASTER",
    "TIME",
    "VECTOR",
    "Area",
    "ClassLimits",
    "ColumnNames",
    "ContractModel",
    "EarlierPublished",
    "Finite",
    "Fraction",
    "LastPublished",
    "Length",
    "NotNegative",
    "Other",
    "OtherDataset",
    "OtherSource",
    "Positive",
    "Rule",
    "rule_id",
]
