"""Dagster UI metadata of versions and results."""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING, Any

import dagster as dg

from spatial_pipeline.contract.models import Contract
from spatial_pipeline.contract.vocabulary import Status
from spatial_pipeline.gate.schema import SHOWN
from spatial_pipeline.model.crs.comparison import label
from spatial_pipeline.model.profile import Profile, VectorProfile
from spatial_pipeline.model.result import Result, keys_text
from spatial_pipeline.model.schema_diff import schema_of
from spatial_pipeline.model.version import Version
from spatial_pipeline.model.violation import Violation
from spatial_pipeline.orchestration.column_schema import column_schema
from spatial_pipeline.runtime.json_text import plain

if TYPE_CHECKING:
    from spatial_pipeline.pipeline.pipeline import Pipeline
    from spatial_pipeline.pipeline.schema_approval import Pending

SCHEMA_CHANGE = "schema_change"
"""Key of the words about a schema that differs from the published one."""
PREVIEW_ROWS = 10
COORDINATE_DIGITS = 10
"""Significant digits of a coordinate: millimetres in metres, centimetres in degrees."""
MEASURE_DIGITS = 6


def of_version(pipeline: Pipeline, contract: Contract, version: Version) -> dict[str, Any]:
    """Metadata of a staged or published version."""
    profile = pipeline.store.profile(version)
    crs = profile.pyproj_crs
    metadata: dict[str, Any] = {
        "version": version.id,
        "crs": label(crs) if crs is not None else profile.crs or "none",
        "extent": dg.MetadataValue.json(
            [_rounded(c, COORDINATE_DIGITS) for c in profile.bounds or ()]
        ),
        "source": profile.uri,
        "driver": profile.driver,
        "path": dg.MetadataValue.path(str(pipeline.store.path(version))),
        "schema_fingerprint": schema_of(profile).fingerprint,
        "dagster/column_schema": column_schema(contract, profile),
        **_of_profile(profile),
    }
    if profile.error is not None:
        metadata["error"] = profile.error
    if profile.notes:
        metadata["notes"] = dg.MetadataValue.json(list(profile.notes))
    return metadata


def of_schema_change(contract: Contract, taken: Pending) -> dict[str, Any]:
    """Metadata of a publication whose schema changed, and was taken without asking a person."""
    evidence = taken.evidence
    return {
        SCHEMA_CHANGE: (
            f"schema {evidence.fingerprint[:SHOWN]} was published: {evidence.change}; before:"
            f" {evidence.reference}; on_schema_change is {contract.on_schema_change}"
        )
    }


def _of_profile(profile: Profile) -> dict[str, Any]:
    if isinstance(profile, VectorProfile):
        return {"dagster/row_count": profile.count, "layer": profile.layer or ""}
    return {
        "bands": profile.count,
        "size": f"{profile.width} × {profile.height}",
        "data_type": ", ".join(dict.fromkeys(b.data_type for b in profile.bands)),
    }


def _measure(value: float | None) -> dg.MetadataValue[Any]:
    """A number that GraphQL's JSON can hold; NaN and infinities as text."""
    if value is None:
        return dg.MetadataValue.text("")
    if not math.isfinite(value):
        return dg.MetadataValue.text(str(plain(float(value))))
    return dg.MetadataValue.float(float(value))


def of_result(
    pipeline: Pipeline, version: Version, result: Result, picture: bytes | None = None
) -> dict[str, Any]:
    """Metadata of one check result.

    Args:
        pipeline: pipeline with the store of the version.
        version: the checked version.
        result: the result.
        picture: PNG map of the violations; None when there is none.

    """
    metadata: dict[str, Any] = {
        "status": result.status.value,
        "checked": result.checked,
        "violations": result.violations,
        "value": _measure(result.value),
        "threshold": _measure(result.threshold),
        "elapsed_s": round(result.elapsed_s, 3),
        "version": version.id,
        "family": result.family.value,
    }
    if result.status in (Status.ERROR, Status.TIMEOUT):
        metadata["error"] = result.message
    if result.against:
        metadata["against"] = dg.MetadataValue.json(plain(result.against))
    if result.sample:
        metadata["preview"] = dg.MetadataValue.table(
            records=[
                dg.TableRecord(
                    {
                        "keys": keys_text(violation.keys),
                        "reason": violation.reason,
                        "x": _coordinate(violation, 0),
                        "y": _coordinate(violation, 1),
                        "measure": _rounded(violation.measure, MEASURE_DIGITS),
                        "unit": violation.unit,
                    }
                )
                for violation in result.sample[:PREVIEW_ROWS]
            ],
            schema=dg.TableSchema(
                columns=[
                    dg.TableColumn("keys", "string"),
                    dg.TableColumn("reason", "string"),
                    dg.TableColumn("x", "float"),
                    dg.TableColumn("y", "float"),
                    dg.TableColumn("measure", "float"),
                    dg.TableColumn("unit", "string"),
                ]
            ),
        )
        layer = pipeline.store.path(version) / "violations.parquet"
        metadata["violation_layer"] = dg.MetadataValue.path(str(layer))
    if picture is not None:
        encoded = base64.b64encode(picture).decode("ascii")
        metadata["map"] = dg.MetadataValue.md(f"![{result.name}](data:image/png;base64,{encoded})")
    return metadata


def _coordinate(violation: Violation, axis: int) -> float | None:
    return _rounded(violation.location[axis] if violation.location else None, COORDINATE_DIGITS)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else float(f"{value:.{digits}g}")
