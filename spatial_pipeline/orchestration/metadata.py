"""What a person wants to see of a version and of a result in the Dagster UI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

from spatial_pipeline.results import Result, Status
from spatial_pipeline.schema_change import schema_of
from spatial_pipeline.versions import Profile, VectorProfile, Version

if TYPE_CHECKING:
    from spatial_pipeline.run import Pipeline

PREVIEW_ROWS = 10


def of_version(pipeline: Pipeline, version: Version) -> dict[str, Any]:
    """Metadata of a staged or published version."""
    profile = pipeline.store.profile(version)
    crs = profile.pyproj_crs
    metadata: dict[str, Any] = {
        "version": version.id,
        "crs": crs.name if crs is not None else profile.crs or "none",
        "extent": dg.MetadataValue.json(list(profile.bounds or ())),
        "source": profile.uri,
        "driver": profile.driver,
        "path": dg.MetadataValue.path(str(pipeline.store.path(version))),
        "schema_fingerprint": schema_of(profile).fingerprint,
        **_of_profile(profile),
    }
    if profile.error is not None:
        metadata["error"] = profile.error
    if profile.notes:
        metadata["notes"] = dg.MetadataValue.json(list(profile.notes))
    return metadata


def _of_profile(profile: Profile) -> dict[str, Any]:
    if isinstance(profile, VectorProfile):
        columns = [
            dg.TableColumn(
                c.name, c.type, constraints=dg.TableColumnConstraints(nullable=c.nullable)
            )
            for c in profile.columns
        ]
        if profile.geometry_column is not None:
            columns.append(dg.TableColumn(profile.geometry_column, profile.geometry_type or ""))
        return {
            "dagster/row_count": profile.count,
            "dagster/column_schema": dg.TableSchema(columns=columns),
            "layer": profile.layer or "",
        }
    return {
        "bands": profile.count,
        "size": f"{profile.width} × {profile.height}",
        "data_type": ", ".join(dict.fromkeys(b.data_type for b in profile.bands)),
        "dagster/column_schema": dg.TableSchema(
            columns=[
                dg.TableColumn(b.description or f"band {i}", b.data_type)
                for i, b in enumerate(profile.bands, start=1)
            ]
        ),
    }


def of_result(pipeline: Pipeline, version: Version, result: Result) -> dict[str, Any]:
    """Metadata of one check result."""
    metadata: dict[str, Any] = {
        "status": result.status.value,
        "checked": result.checked,
        "violations": result.violations,
        "value": dg.MetadataValue.float(float(result.value)) if result.value is not None else "",
        "threshold": dg.MetadataValue.float(float(result.threshold))
        if result.threshold is not None
        else "",
        "elapsed_s": result.elapsed_s,
        "version": version.id,
        "family": result.family.value,
    }
    if result.status in (Status.ERROR, Status.TIMEOUT):
        metadata["error"] = result.message
    if result.against:
        metadata["against"] = dg.MetadataValue.json(result.against)
    if result.sample:
        metadata["preview"] = dg.MetadataValue.table(
            records=[
                dg.TableRecord(
                    {
                        "keys": ", ".join("/".join(str(v) for v in k) for k in violation.keys),
                        "reason": violation.reason,
                        "x": violation.location[0] if violation.location else None,
                        "y": violation.location[1] if violation.location else None,
                        "measure": violation.measure,
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
    return metadata
