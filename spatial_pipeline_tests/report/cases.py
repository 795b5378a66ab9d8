"""Results and violations for the tests of reports."""

from __future__ import annotations

from typing import Any

import numpy as np
from shapely import LineString, MultiPolygon, Point, Polygon, box

from spatial_pipeline.contract.vocabulary import Family, Severity, Status
from spatial_pipeline.model.profile import VectorProfile
from spatial_pipeline.model.result import Result
from spatial_pipeline.model.violation import Violation
from spatial_pipeline.model.violations import Violations
from spatial_pipeline.report.checked import Checked

WGS84 = 'GEOGCRS["WGS 84",DATUM["World Geodetic System 1984",ELLIPSOID["WGS 84",6378137,298.257223563]],CS[ellipsoidal,2],AXIS["latitude",north],AXIS["longitude",east],UNIT["degree",0.0174532925199433],ID["EPSG",4326]]'  # noqa: E501
SHAPES = [
    Point(1, 2),
    None,
    LineString([(0, 0), (1, 1)]),
    Polygon([(0, 0, 1), (1, 0, 1), (1, 1, 1)]),
    Point(),
    MultiPolygon([box(0, 0, 1, 1), box(2, 2, 3, 3)]),
]


def result(name: str = "overlaps", **changes: Any) -> Result:
    values: dict[str, Any] = {
        "name": name,
        "rule": "must_not_overlap",
        "rule_hash": "h",
        "family": Family.TOPOLOGY,
        "severity": Severity.ERROR,
        "status": Status.FAILED,
        "checked": 64,
        "violations": len(SHAPES),
        "value": 6.0,
        "threshold": 0.0,
        "message": "6 overlaps",
        "elapsed_s": 0.25,
        "sample": (Violation((("08001",), ("08005",)), "overlap", (1.0, 2.0), 0.0031, "m²"),),
    }
    return Result(**{**values, **changes})


def violations(shapes: Any = None) -> Violations:
    shapes = SHAPES if shapes is None else shapes
    n = len(shapes)
    return Violations.build(
        np.arange(n),
        ["Überlappung <b>"] * n,
        list(shapes),
        measure=np.where(np.arange(n) % 2, np.nan, np.arange(n)),
        unit="m²",
        part=np.arange(n) - 1,
        keys=[((f"key {i}", i), (None,)) for i in range(n)],
    )


PASSED = result(
    "crs",
    rule="crs",
    family=Family.METADATA,
    status=Status.PASSED,
    violations=0,
    message="as promised",
    sample=(),
)
PROFILE = VectorProfile(
    "counties.geojson", "GeoJSON", crs=WGS84, geometry_type="Polygon", count=64, bounds=(0, 0, 4, 3)
)


def checked(dataset: str = "counties", **changes: Any) -> Checked:
    values: dict[str, Any] = {
        "dataset": dataset,
        "partition": None,
        "version": "v1",
        "evaluations": ((PASSED, Violations.none()), (result(), violations())),
        "profile": PROFILE,
    }
    return Checked(**{**values, **changes})
