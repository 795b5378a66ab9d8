"""The loop of differential fuzzing, generic damage, and the comparison of cells.

A format is a module of this package with ``KIND``, ``write``, ``damage`` and ``expected`` (an
independent oracle) or, for rasters, ``compare``. A file ends in one of three ways: staged equals
the oracle, the defect is named, or neither, which is a false verdict and must never happen.
"""

from __future__ import annotations

import datetime as dt
import math
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow.parquet as pq
import shapely

from spatial_pipeline.model.profile import Profile, VectorProfile
from spatial_pipeline_tests.ingest.sources import stage

GEOMETRY = "geometry"
"""Key of the geometry in the rows of an oracle; a shapely geometry, WKB bytes, or None."""
EQUAL, NAMED, FALSE = "equal", "named", "false"
Stager = Callable[[str, Path, Path], Profile]


@dataclass
class Report:
    """Ends of the files that were tried; ``failures`` tells seed, step and difference."""

    ends: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def run(format_: ModuleType, seeds: range, folder: Path, stager: Stager = stage) -> Report:
    """Writes, damages, stages and compares one file a seed.

    Args:
        format_: module with ``write``, ``damage``, ``expected`` or ``compare``, and ``KIND``; one
            with ``outcome`` of its own runs :func:`outcome` elsewhere.
        seeds: one file each.
        folder: scratch space.
        stager: stages a file: kind, path, folder that takes ``staged/``.

    """
    report = Report()
    for seed in seeds:
        rng = random.Random(f"{format_.__name__} {seed}")
        work = folder / f"{seed}"
        work.mkdir()
        path = format_.write(rng, work)
        step = rng.choice(["sound", "own", "generic", "generic", "own+generic"])
        if "own" in step:
            format_.damage(rng, path)
        if "generic" in step:
            damage(rng, rng.choice(sorted(p for p in work.iterdir() if p.is_file())))
        judge = getattr(format_, "outcome", outcome)
        end, difference = judge(format_, path, work, stager)
        report.ends[f"{step}: {end}"] += 1
        report.ends[end] += 1
        if end == FALSE or (step == "sound" and end == NAMED):
            report.failures.append(f"seed {seed} ({step}): {end}: {difference}")
        else:
            shutil.rmtree(work)
    return report


def outcome(format_: ModuleType, path: Path, work: Path, stager: Stager) -> tuple[str, str]:
    """How one file ends, and why."""
    profile = stager(format_.KIND, path, work / "out")
    if profile.error is not None:
        return NAMED, profile.error
    if isinstance(profile, VectorProfile) and (profile.undecodable or profile.defect_count):
        return NAMED, "; ".join(str(d) for d in profile.defects[:3]) or "undecodable geometry"
    staged = work / "out/staged"
    if hasattr(format_, "compare"):
        difference = format_.compare(path, profile, staged / "data.tif")
    else:
        difference = _rows_differ(format_, path, profile, staged / "data.parquet")
    return (EQUAL, "") if difference is None else (FALSE, difference)


def _rows_differ(format_: ModuleType, path: Path, profile: Any, staged: Path) -> str | None:
    try:
        expected = format_.expected(path)
    except ValueError as exc:
        return f"passed, but the file is not well-formed: {exc}"
    rows = pq.read_table(staged).sort_by(profile.row_column).to_pylist()
    if len(rows) != len(expected):
        return f"{len(rows)} rows staged, {len(expected)} in the file"
    helpers = {profile.row_column, profile.bbox_column}
    for number, (row, wanted) in enumerate(zip(rows, expected, strict=True)):
        found = {k: v for k, v in row.items() if k not in helpers}
        if profile.geometry_column is not None:
            found[GEOMETRY] = found.pop(profile.geometry_column)
        if difference := row_difference(found, wanted):
            return f"row {number}: {difference}"
    return None


def row_difference(found: dict[str, Any], wanted: dict[str, Any]) -> str | None:
    """The first cell in which two rows differ; a missing geometry column counts as null."""
    for name in {**wanted, **found}:
        if name == GEOMETRY:
            if not same_geometry(found.get(name), wanted.get(name)):
                return f"geometry {_shown(found.get(name))} is not {_shown(wanted.get(name))}"
        elif name not in found or name not in wanted:
            return f"column {name!r} is only in the {'file' if name in wanted else 'staged data'}"
        elif not same(found[name], wanted[name]):
            return f"{name}: {found[name]!r} is not {wanted[name]!r}"
    return None


def same(found: Any, wanted: Any) -> bool:
    """Whether a staged value is exactly the value of the file, whatever types say so.

    Texts and typed values are equal when the text is a writing of the value.
    """
    if found is None or wanted is None:
        return found is wanted
    if isinstance(found, bool) or isinstance(wanted, bool):
        return _as_bool(found) is not None and _as_bool(found) == _as_bool(wanted)
    for value in (found, wanted):
        if isinstance(value, float) and math.isnan(value):
            other = wanted if value is found else found
            return isinstance(other, float) and math.isnan(other)
    if isinstance(found, str) and isinstance(wanted, str):
        return found == wanted
    if isinstance(found, dt.date | dt.time) or isinstance(wanted, dt.date | dt.time):
        return _as_time(found) == _as_time(wanted) != ""
    if isinstance(found, int | float | Decimal) or isinstance(wanted, int | float | Decimal):
        try:
            return Decimal(found) == Decimal(wanted)
        except (InvalidOperation, TypeError, ValueError):
            return False
    return bool(found == wanted)


def same_geometry(found: Any, wanted: Any) -> bool:
    """Whether two geometries (shapely, WKB or None) have the same structure and coordinates."""
    found, wanted = (_geometry(g) for g in (found, wanted))
    if found is None or wanted is None:
        return found is wanted
    return shapely.to_wkb(found, output_dimension=4) == shapely.to_wkb(wanted, output_dimension=4)


def distinct(names: list[str]) -> list[str]:
    """Column names as an oracle expects them: a taken one gets the first free number."""
    found: list[str] = []
    for name in names:
        new, number = name, 1
        while new in found or (new != name and new in names):
            new, number = f"{name}_{number}", number + 1
        found.append(new)
    return found


def damage(rng: random.Random, path: Path) -> None:
    """Damages bytes somewhere in a file: flips, a cut, a doubled, zeroed or swapped range."""
    data = bytearray(path.read_bytes())
    if not data:
        return
    kind = rng.choice(["flip", "flip", "flips", "cut", "double", "zero", "swap", "text"])
    at = rng.randrange(len(data))
    size = min(rng.choice([1, 2, 4, 16, 64]), len(data) - at)
    if kind in {"flip", "flips"}:
        for _ in range(1 if kind == "flip" else 8):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == "cut":
        del data[at:]
    elif kind == "double":
        data[at:at] = data[at : at + size]
    elif kind == "zero":
        data[at : at + size] = bytes(size)
    elif kind == "swap":
        other = rng.randrange(len(data) - size + 1)
        data[at : at + size], data[other : other + size] = (
            data[other : other + size],
            data[at : at + size],
        )
    else:
        data[at : at + size] = rng.choice([b",", b'"', b"\n", b"1e999", b"nan", b"\xff", b"}"])
    path.write_bytes(data)


def _as_bool(value: Any) -> bool | None:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.casefold())
    return bool(value) if value in (0, 1) else None


def _as_time(value: Any) -> str:
    if isinstance(value, str):
        for kind in (dt.datetime, dt.date, dt.time):
            try:
                return _as_time(kind.fromisoformat(value.replace("/", "-")))
            except ValueError:
                continue
        return ""
    if isinstance(value, dt.datetime):
        if value.tzinfo is not None:
            return value.astimezone(dt.UTC).isoformat()
        return value.isoformat()
    return value.isoformat() if isinstance(value, dt.date | dt.time) else ""


def _geometry(value: Any) -> Any:
    return shapely.from_wkb(value) if isinstance(value, bytes) else value


def _shown(value: Any) -> str:
    return str(_geometry(value))[:200]


def formats() -> Iterator[str]:
    """Names of the modules that fuzz a format."""
    own = {"__init__", "__main__", "harness", "rasters"}
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.stem not in own and not path.stem.startswith("test_"):
            yield path.stem
