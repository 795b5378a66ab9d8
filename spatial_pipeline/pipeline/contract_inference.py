"""Infers a contract from a source: its properties, and the rules that it satisfies.

The source is staged, read once for a summary, and checked once with all candidates together; only
where no column is a key by itself, pairs of columns are checked in addition.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from pydantic import ValidationError

from spatial_pipeline.contract.models import Contract, RasterContract, VectorContract
from spatial_pipeline.contract.rules import CATALOGUE
from spatial_pipeline.contract.vocabulary import Kind, Status
from spatial_pipeline.errors import ContractError, SourceError
from spatial_pipeline.model.crs.comparison import authority
from spatial_pipeline.model.profile import Profile, RasterProfile, VectorProfile
from spatial_pipeline.model.readers import RasterReader, VectorReader
from spatial_pipeline.model.result import Result
from spatial_pipeline.model.violation_runs import AnyViolations, parts_of
from spatial_pipeline.pipeline import exact_rules
from spatial_pipeline.pipeline.column_candidates import (
    joined_texts,
    measures,
    of_columns,
)
from spatial_pipeline.pipeline.geometry_candidates import of_classes, of_geometries
from spatial_pipeline.pipeline.inferred_contract import Inferred, InferredRule, flow
from spatial_pipeline.pipeline.pipeline import Pipeline
from spatial_pipeline.pipeline.raster_candidates import band_summaries, of_pixels, of_profile
from spatial_pipeline.pipeline.rule_candidates import (
    COLUMNS,
    FILE,
    SECTIONS,
    Parameters,
    RuleCandidate,
    fitting,
    name_of,
    named,
    rounded_out,
)
from spatial_pipeline.pipeline.source_summary import SourceSummary, summarised
from spatial_pipeline.runtime.cancellation import in_thread
from spatial_pipeline.runtime.temporary import temporary_folder
from spatial_pipeline.store.versions import Store

MAX_KEYS = 20
"""Columns that are tried as a key."""
PAIRED = 5
"""Columns of which pairs are tried as a key."""
KEY_NAMES = re.compile(r"(^|_)(id|fid|gid|uid|uuid|guid|key|code)$|id$", re.IGNORECASE)
PATIENCE_S = 300.0
"""Working time after which a candidate is given up."""


async def infer(
    pipeline: Pipeline, uri: str, layer: str | None = None, *, exact: bool = True
) -> Inferred:
    """Stages a source temporarily, tries the rules that make sense for it, keeps those that hold.

    Args:
        pipeline: provides the list of allowed sources; its store is not used.
        uri: the source, relative to the working directory.
        layer: layer of a container with several.
        exact: add counts, sums and checksums that hold for exactly this delivery.

    Raises:
        SourceError: it can be read neither as a vector nor as a raster.
        ContractError: no contract can name such a source.

    """
    with temporary_folder() as folder:
        trial = _Trial(replace(pipeline, store=Store(folder)), uri, layer)
        await in_thread(trial.open)
        return await trial.infer(exact=exact)


class _Trial:
    """One source under trial."""

    def __init__(self, pipeline: Pipeline, uri: str, layer: str | None) -> None:
        self.pipeline = pipeline
        self.source = {"uri": uri} | ({} if layer is None else {"layer": layer})
        self.name = _name(uri, layer)
        self.kind: Kind = "vector"
        self.profile: Profile
        self.summary = SourceSummary()

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

    async def infer(self, *, exact: bool) -> Inferred:
        """The contract."""
        crs = await self._crs()
        candidates = await in_thread(self._candidates)
        keys = self._key_options()
        probes = list(self._probes(keys)) if exact else []
        tried = [o for c in candidates if c.advised for o in c.options]
        tried += [{"rule": "unique", "columns": [k]} for k in keys]
        tried += [p.asked for p in probes]
        judged = await self._judged(tried)
        results = {_id(rule): found for rule, found in zip(tried, judged.found, strict=True)}
        key, unique, repeated = await self._keys(keys, results)

        kept: list[tuple[str, Parameters, str, str]] = [(FILE, r, "", "") for r in crs]
        failing: list[tuple[Parameters, str, str]] = []
        for candidate in candidates:
            holding = next(
                (o for o in candidate.options if candidate.advised and results[_id(o)][0].passed),
                None,
            )
            about = (candidate.name, candidate.remark)
            if not candidate.advised:
                failing.append((candidate.options[0], *about))
            elif holding is not None:
                kept.append((candidate.section, holding, *about))
            else:
                found = [(o, results[_id(o)][0]) for o in candidate.options]
                told = [(o, r) for o, r in found if r.status is not Status.ERROR]
                failing += [(o, candidate.name, _reason(r)) for o, r in told[-1:]]
        kept += [
            (COLUMNS, {"rule": "unique", "columns": u}, name_of("unique", "_".join(u)), "")
            for u in unique
        ]
        failing += repeated
        today = list(self._today(probes, results)) if exact else []
        head: dict[str, Any] = {"name": self.name, "source": self.source}
        if key:
            head["key"] = key
        return self._written(head, kept, today, failing, judged.always)

    def _written(
        self,
        head: dict[str, Any],
        kept: Sequence[tuple[str, Parameters, str, str]],
        today: Sequence[tuple[Parameters, str]],
        failing: Sequence[tuple[Parameters, str, str]],
        always: Sequence[Result],
    ) -> Inferred:
        """Everything with names where several rules have one id."""
        labelled = [(rule, label) for _, rule, label, _ in kept]
        labelled += [*today, *((rule, label) for rule, label, _ in failing)]
        every = iter(named(labelled))
        sections: dict[str, list[InferredRule]] = {name: [] for name in SECTIONS}
        for section, _, _, remark in kept:
            sections[section].append(InferredRule(next(every), remark))
        exact = tuple(InferredRule(next(every)) for _ in today)
        return Inferred(
            type_name=self._contract([]).type_name,
            head=head,
            sections=tuple((SECTIONS[name], tuple(rules)) for name, rules in sections.items()),
            exact=exact,
            failing=tuple(InferredRule(next(every), remark) for _, _, remark in failing),
            remarks=tuple(f"{r.name}: {r.message}" for r in always if not r.passed),
            sound=all(r.passed for r in always),
        )

    def _candidates(self) -> list[RuleCandidate]:
        profile = self.profile
        found: list[RuleCandidate] = []
        if profile.bounds is not None and all(map(math.isfinite, profile.bounds)):
            box = {"bounds": rounded_out(profile.bounds)}
            found.append(RuleCandidate.of(FILE, "bounds_within", box))
        if profile.conformance is not None:
            found.append(RuleCandidate.of(FILE, "format_conformance"))
        if isinstance(profile, VectorProfile):
            found += self._of_vector(profile)
        else:
            data = cast("RasterReader", self._data())
            found += of_profile(profile)
            found += of_pixels(profile, band_summaries(data, lambda: None))
        known = (c for c in found if all(o["rule"] in CATALOGUE for o in c.options))
        return [c for c in map(self._usable, fitting(known)) if c.options]

    def _of_vector(self, profile: VectorProfile) -> Iterator[RuleCandidate]:
        self.summary = summarised(cast("VectorReader", self._data()))
        summary = self.summary
        if profile.count:
            yield RuleCandidate.of(FILE, "feature_count", {"min": 1})
        if profile.declared_bounds is not None:
            yield RuleCandidate.of(FILE, "declared_bounds")
        if profile.driver in {"GPKG", "ESRI Shapefile", "Parquet", "FlatGeobuf"}:
            yield RuleCandidate.of(FILE, "spatial_index")
        yield from of_columns(summary.columns, summary.combined)
        yield from joined_texts(summary.joined)
        if profile.geometry_column is None or not profile.count:
            return
        crs = profile.pyproj_crs
        geographic = crs is not None and crs.is_geographic
        yield from of_geometries(summary.geometry, profile.count, profile.bounds, geographic)
        yield from measures(summary.columns, summary.geometry.single)
        yield from of_classes(summary.columns, summary.geometry)

    def _probes(self, keys: Sequence[str]) -> Iterator[exact_rules.ExactProbe]:
        """Rules whose measured values become exact bounds."""
        if isinstance(self.profile, RasterProfile):
            yield from exact_rules.band_probes(self.profile.count)
        elif self.profile.count:
            yield from exact_rules.column_probes(self.summary.columns, keys)
            yield from exact_rules.geometry_probes(self.summary.geometry)

    def _today(
        self,
        probes: Sequence[exact_rules.ExactProbe],
        results: dict[str, tuple[Result, AnyViolations]],
    ) -> Iterator[tuple[Parameters, str]]:
        """The exact rules with their labels."""
        summary = self.summary
        if isinstance(self.profile, VectorProfile) and self.profile.count:
            yield exact_rules.feature_count(self.profile.count)
        told: set[str] = set()
        for probe in probes:
            violations = results[_id(probe.asked)][1]
            measured = [m for part in parts_of(violations) for m in part.measure.tolist()]
            rule = probe.rule(measured)
            if rule is not None:
                told.add(str(rule.get("column")))
                yield rule, probe.label
        if isinstance(self.profile, VectorProfile) and self.profile.count:
            summable = [c for c in summary.columns if c.name in told]
            yield from exact_rules.null_shares(summable)
            yield from map(exact_rules.checksum, [c for c in summary.columns if c.name not in told])

    async def _judged(self, rules: Sequence[Parameters]) -> _TrialResults:
        numbered = [
            {**rule, "name": f"trial_{i}", "timeout_s": PATIENCE_S} for i, rule in enumerate(rules)
        ]
        contract = self._contract(numbered)
        version = await in_thread(self.pipeline.stage, contract)
        audit = await self.pipeline.audit(contract, version)
        found = [(replace(r, name=r.rule), v) for r, v in audit.evaluations]
        always = len(found) - len(rules)
        return _TrialResults([r for r, _ in found[:always]], found[always:])

    async def _crs(self) -> list[Parameters]:
        """The rule about the CRS: by its authority code where that behaves the same, else WKT."""
        crs = self.profile.pyproj_crs
        if crs is None:
            return []
        texts = [] if (code := authority(crs)) is None else [code]
        for text in [*texts, crs.to_wkt()]:
            rule = {"rule": "crs", "equals": text}
            if self._fits(rule) and (await self._judged([rule])).found[0][0].passed:
                return [rule]
        return []

    def _key_options(self) -> list[str]:
        """Columns that may be a key, or nearly are one, the likeliest first."""
        fit = [c.name for c in self.summary.columns if c.nearly_a_key]
        return sorted(fit, key=lambda n: not KEY_NAMES.search(n))[:MAX_KEYS]

    async def _keys(
        self, keys: Sequence[str], results: dict[str, tuple[Result, AnyViolations]]
    ) -> tuple[list[str], list[list[str]], list[tuple[Parameters, str, str]]]:
        """The key, all keys, and near-keys with their reasons."""
        full = {c.name for c in self.summary.columns if c.full}
        found = {k: results[_id({"rule": "unique", "columns": [k]})][0] for k in keys}
        unique = [k for k in keys if found[k].passed]
        key = next(([k] for k in unique if k in full), [])
        told = [[k] for k in unique if [k] == key or KEY_NAMES.search(k)]
        near = [
            (
                {"rule": "unique", "columns": [k]},
                name_of("unique", k),
                f"nearly a key: {found[k].message}",
            )
            for k in keys
            if not found[k].passed and found[k].status is Status.FAILED
        ]
        if not key and self.summary.columns and self.profile.count > 1:
            pair = await self._paired()
            key = pair or []
            told += [pair] if pair else []
        return key, told, near

    async def _paired(self) -> list[str] | None:
        """Two columns that are a key together; None without any."""
        fit = [c for c in self.summary.columns if c.full and c.kind in ("string", "integer")]
        fit.sort(key=lambda c: (not KEY_NAMES.search(c.name), c.repeated))
        pairs = [list(p) for p in itertools.combinations([c.name for c in fit[:PAIRED]], 2)]
        if not pairs:
            return None
        judged = await self._judged([{"rule": "unique", "columns": p} for p in pairs])
        holding = zip(pairs, judged.found, strict=True)
        return next((pair for pair, (result, _) in holding if result.passed), None)

    def _usable(self, candidate: RuleCandidate) -> RuleCandidate:
        """The candidate with the options that a contract can hold."""
        return replace(candidate, options=tuple(o for o in candidate.options if self._fits(o)))

    def _fits(self, rule: Parameters) -> bool:
        """True when a contract can hold the rule."""
        try:
            self._contract([rule])
        except ContractError:
            return False
        return True

    def _data(self) -> VectorReader | RasterReader:
        return self.pipeline.store.open(self.pipeline.stage(self._contract([])))

    def _contract(self, rules: Iterable[Parameters]) -> Contract:
        model = VectorContract if self.kind == "vector" else RasterContract
        value = {"name": self.name, "source": self.source, "rules": list(rules)}
        try:
            return model.model_validate(value)
        except ValidationError as exc:
            raise ContractError("; ".join(str(e["msg"]) for e in exc.errors())) from exc


@dataclass(frozen=True)
class _TrialResults:
    """Results of rules that were tried.

    Attributes:
        always: of the rules that are always on.
        found: of the others, in their order, with their violations.

    """

    always: list[Result]
    found: list[tuple[Result, AnyViolations]]


def _id(rule: Parameters) -> str:
    return flow(rule)


def _reason(result: Result) -> str:
    if result.status is Status.TIMEOUT:
        return f"not judged: it takes longer than {PATIENCE_S:g} s"
    return result.message


def _name(uri: str, layer: str | None) -> str:
    """A name for the dataset, from the layer or the file."""
    text = layer or re.split(r"[/!\\]", uri.split("?")[0].rstrip("/"))[-1].split(".")[0]
    name = re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_")[:100]
    return name if name and not name[0].isdigit() else f"dataset_{name}"[:100].rstrip("_")
