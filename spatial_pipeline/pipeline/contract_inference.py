"""Infers a contract from a source: its properties, and the rules that it satisfies."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import shapely
import yaml
from pydantic import ValidationError

from spatial_pipeline.check.rules.metadata.columns import type_matches
from spatial_pipeline.contract.models import ALWAYS_ON, Contract, RasterContract, VectorContract
from spatial_pipeline.contract.rules.metadata import ColumnType
from spatial_pipeline.contract.vocabulary import Bounds, Kind
from spatial_pipeline.errors import ContractError, SourceError
from spatial_pipeline.model.crs.comparison import authority
from spatial_pipeline.model.profile import Profile, RasterProfile, VectorProfile
from spatial_pipeline.model.readers import VectorReader
from spatial_pipeline.model.result import Result
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.report.violations import TYPES
from spatial_pipeline.runtime.temporary import temporary_folder
from spatial_pipeline.store.versions import Store

COLUMN_TYPES: tuple[ColumnType, ...] = (
    "string", "integer", "number", "boolean", "date", "time", "datetime", "binary",
)  # fmt: skip
MAX_KEYS = 20
"""Columns that are tried as a key."""
KEY_NAMES = re.compile(r"(^|_)(id|fid|gid|uid|uuid|guid|key|code)$|id$", re.IGNORECASE)
Parameters = dict[str, Any]


@dataclass(frozen=True)
class Inferred:
    """A contract inferred from a source.

    Attributes:
        contract: the content of a contract file.
        remarks: rules that do not hold, with their results.
        sound: False when the source itself cannot be read without loss.

    """

    contract: dict[str, Any]
    remarks: tuple[str, ...]
    sound: bool

    def text(self) -> str:
        """The contract as YAML, one rule per line, the remarks as comments."""
        attributes = self.contract["attributes"]
        lines = [f"type: {self.contract['type']}", "attributes:"]
        for name, value in attributes.items():
            if name == "rules":
                lines += ["  rules:"] if value else []
                lines += [f"    - {_flow(rule)}" for rule in value]
            else:
                lines.append(f"  {name}: {_flow(value)}")
        lines += [f"    # does not hold: {' '.join(r.split())}" for r in self.remarks]
        return "\n".join(lines) + "\n"


async def infer(pipeline: Pipeline, uri: str, layer: str | None = None) -> Inferred:
    """Stages a source temporarily, tries the rules that make sense for it, keeps those that hold.

    Args:
        pipeline: provides the list of allowed sources; its store is not used.
        uri: the source, relative to the working directory.
        layer: layer of a container with several.

    Raises:
        SourceError: it can be read neither as a vector nor as a raster.
        ContractError: no contract can name such a source.

    """
    with temporary_folder() as folder:
        trial = _Trial(replace(pipeline, store=Store(folder)), uri, layer)
        trial.open()
        return await trial.infer()


class _Trial:
    """One source under trial."""

    def __init__(self, pipeline: Pipeline, uri: str, layer: str | None) -> None:
        self.pipeline = pipeline
        self.source = {"uri": uri} | ({} if layer is None else {"layer": layer})
        self.name = _name(uri, layer)
        self.kind: Kind = "vector"
        self.profile: Profile

    def open(self) -> None:
        """Stages the source as a vector or a raster dataset."""
        errors: list[str] = []
        for kind in ("vector", "raster"):
            self.kind = kind
            contract = self._contract([])
            version = self.pipeline.stage(contract)
            self.profile = self.pipeline.store.profile(version)
            if self.profile.error is None:
                return
            errors.append(self.profile.error)
        as_vector, as_raster = errors
        if as_vector == as_raster:
            raise SourceError(as_vector)
        raise SourceError(f"as a vector: {as_vector}; as a raster: {as_raster}")

    async def infer(self) -> Inferred:
        crs = await self._crs()
        options = list(self._options())
        tried = [*crs, *(rule for group in options for rule in group)]
        keys = self._key_options()
        tried += [{"rule": "not_null", "columns": [k]} for k in keys]
        tried += [{"rule": "unique", "columns": [k]} for k in keys]
        results = await self._judged(tried)
        always, found = results[: len(ALWAYS_ON)], results[len(ALWAYS_ON) :]
        judged = dict(zip((_flow(t) for t in tried), found, strict=True))

        def holds(rule: Parameters) -> bool:
            return judged[_flow(rule)].passed

        key = next(
            (
                k
                for k in keys
                if holds({"rule": "unique", "columns": [k]})
                and holds({"rule": "not_null", "columns": [k]})
            ),
            None,
        )
        rules = list(crs)
        remarks = [f"{r.name}: {r.message}" for r in always if not r.passed]
        for group in options:
            kept = next((rule for rule in group if holds(rule)), None)
            if kept is not None:
                rules.append(kept)
            else:
                remarks.append(f"{group[-1]['rule']}: {judged[_flow(group[-1])].message}")
        head: dict[str, Any] = {"name": self.name, "source": self.source}
        if key is not None:
            head["key"] = [key]
            rules.append({"rule": "unique", "columns": [key]})
        model = self._contract([])
        contract = {"type": model.type_name, "attributes": {**head, "rules": rules}}
        return Inferred(contract, tuple(remarks), all(r.passed for r in always))

    async def _judged(self, rules: Sequence[Parameters]) -> list[Result]:
        named = [{**rule, "name": f"trial_{i}"} for i, rule in enumerate(rules)]
        contract = self._contract(named)
        version = self.pipeline.stage(contract)
        results = (await self.pipeline.audit(contract, version)).results
        return [replace(r, name=r.rule) for r in results]

    async def _crs(self) -> list[Parameters]:
        """The rule about the CRS: by its authority code where that behaves the same, else WKT."""
        crs = self.profile.pyproj_crs
        if crs is None:
            return []
        texts = [] if (code := authority(crs)) is None else [code]
        for text in [*texts, crs.to_wkt()]:
            rule = {"rule": "crs", "equals": text}
            if self._fits(rule) and (await self._judged([rule]))[-1].passed:
                return [rule]
        return []

    def _options(self) -> Iterator[list[Parameters]]:
        """Rules to try; of those in one list only the first that holds is kept, strictest first."""
        profile = self.profile
        if profile.bounds is not None and all(map(math.isfinite, profile.bounds)):
            yield [{"rule": "bounds_within", "bounds": rounded_out(profile.bounds)}]
        groups = (
            self._of_vector(profile) if isinstance(profile, VectorProfile) else _of_raster(profile)
        )
        for group in groups:
            fitting = [rule for rule in group if self._fits(rule)]
            if fitting:
                yield fitting

    def _of_vector(self, profile: VectorProfile) -> Iterator[list[Parameters]]:
        types, full = self._read(profile)
        single = list(dict.fromkeys(t.removeprefix("Multi") for t in types))
        if types:
            yield [{"rule": "geometry_type", "any_of": t} for t in ([*single], types)]
        columns = {c.name: _column_type(c.type) for c in profile.columns if c.name[-1:] != "!"}
        strict = {f"{n}!" if n in full else n: t for n, t in columns.items()}
        if columns:
            yield [{"rule": "columns", "schema": schema} for schema in (strict, columns)]
        if profile.count:
            yield [{"rule": "feature_count", "min": 1}]
        if profile.geometry_column is None or not profile.count:
            return
        for rule in (
            "not_empty",
            "finite_coordinates",
            "valid_geometry",
            "no_duplicate_geometries",
        ):
            yield [{"rule": rule}]
        if set(single) == {"Polygon"}:
            yield [{"rule": "must_not_overlap"}]
            yield [{"rule": "must_not_have_gaps"}]
        if set(single) == {"LineString"}:
            yield [{"rule": "must_not_have_dangles"}]

    def _read(self, profile: VectorProfile) -> tuple[list[str], set[str]]:
        """Geometry types that occur, and columns without nulls."""
        data = cast(
            "VectorReader", self.pipeline.store.open(self.pipeline.stage(self._contract([])))
        )
        names = [c.name for c in profile.columns]
        codes: set[int] = set()
        full = set(names) if profile.count else set()
        for i in range(data.batch_count()):
            batch = data.batch(i, names)
            codes |= set(np.unique(shapely.get_type_id(batch.geometry)).tolist()) - {-1}
            full -= {n for n in names if batch.table.column(n).null_count}
        return [TYPES[c] for c in sorted(codes)], full

    def _key_options(self) -> list[str]:
        """Columns that may be a key, the likeliest first."""
        if not isinstance(self.profile, VectorProfile) or not self.profile.count:
            return []
        fit = [
            c.name for c in self.profile.columns if _column_type(c.type) in {"string", "integer"}
        ]
        return sorted(fit, key=lambda n: not KEY_NAMES.search(n))[:MAX_KEYS]

    def _fits(self, rule: Parameters) -> bool:
        """True when a contract can hold the rule."""
        try:
            self._contract([rule])
        except ContractError:
            return False
        return True

    def _contract(self, rules: Sequence[Parameters]) -> Contract:
        model = VectorContract if self.kind == "vector" else RasterContract
        value = {"name": self.name, "source": self.source, "rules": list(rules)}
        try:
            return model.model_validate(value)
        except ValidationError as exc:
            raise ContractError("; ".join(str(e["msg"]) for e in exc.errors())) from exc


def _of_raster(profile: RasterProfile) -> Iterator[list[Parameters]]:
    yield [{"rule": "band_count", "equals": profile.count}]
    types = list(dict.fromkeys(b.data_type for b in profile.bands))
    yield [{"rule": "data_type", "equals": types[0]}]
    nodata = profile.bands[0].nodata
    yield [{"rule": "nodata", "equals": float(nodata) if isinstance(nodata, str) else nodata}]
    a, b, _, d, e, _ = profile.transform
    if not b and not d:
        yield [{"rule": "resolution", "equals": [abs(a), abs(e)]}]
    for rule in ("cloud_optimized", "readable_pixels"):
        yield [{"rule": rule}]


def rounded_out(bounds: Bounds) -> list[float]:
    """A box around the bounds with short numbers, at most a thousandth of the extent larger."""
    xmin, ymin, xmax, ymax = bounds
    # Finer than the numbers themselves a box cannot be.
    finest = 1e-9 * max(1.0, *map(abs, bounds))
    size = max(xmax - xmin, ymax - ymin, finest)
    decimals = 3 - math.floor(math.log10(size))
    step = 10.0**-decimals

    def down(value: float) -> float:
        return round((math.floor(value / step) - 1) * step, max(decimals, 0))

    return [down(xmin), down(ymin), -down(-xmax), -down(-ymax)]


def _column_type(arrow: str) -> ColumnType:
    return next((t for t in COLUMN_TYPES if type_matches(arrow, t)), "any")


def _name(uri: str, layer: str | None) -> str:
    """A name for the dataset, from the layer or the file."""
    text = layer or re.split(r"[/!\\]", uri.split("?")[0].rstrip("/"))[-1].split(".")[0]
    name = re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_")[:100]
    return name if name and not name[0].isdigit() else f"dataset_{name}"[:100].rstrip("_")


def _flow(value: Any) -> str:
    """A value as one line of YAML."""
    text: str = yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=math.inf
    )
    return text.strip().removesuffix("...").strip()
