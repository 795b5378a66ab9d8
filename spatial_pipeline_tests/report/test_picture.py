"""The small map: a picture with the defects in it."""

from __future__ import annotations

import io

import matplotlib.image
import numpy as np
import shapely

from spatial_pipeline.contract.vocabulary import Family, Severity, Status
from spatial_pipeline.model.profile import VectorProfile
from spatial_pipeline.model.result import Result
from spatial_pipeline.model.violations import Violations
from spatial_pipeline.report.checked import Checked
from spatial_pipeline.report.drawing import draw
from spatial_pipeline.report.picture import png

RESULT = Result("r", "r", "", Family.TOPOLOGY, Severity.ERROR, Status.FAILED)


def pixels(*shapes: object) -> np.ndarray:
    violations = Violations.build([0] * len(shapes), "x", np.array([*shapes, None], object)[:-1])
    profile = VectorProfile("a", bounds=(0.0, 0.0, 100.0, 100.0))
    drawing = draw(Checked("a", None, None, ((RESULT, violations),), profile))
    assert drawing is not None
    image = png(drawing, "a $1 < 2$: r")
    assert image.startswith(b"\x89PNG")
    assert len(image) < 60_000
    return matplotlib.image.imread(io.BytesIO(image), format="png")[..., :3]


def reddish(image: np.ndarray) -> np.ndarray:
    return (image[..., 0] > 0.7) & (image[..., 1] < 0.7) & (image[..., 2] < 0.7)


def test_a_defect_is_where_it_lies() -> None:
    red = reddish(pixels(shapely.box(60, 60, 100, 100)))
    height, width = red.shape
    assert red[: height // 2, width // 2 :].sum() > 20 * red[height // 2 :].sum()
    assert red[: height // 2, width // 2 :].sum() > 5000


def test_points_lines_and_collections() -> None:
    line = shapely.LineString([(10, 10), (90, 90)])
    both = shapely.GeometryCollection([shapely.Point(5, 95), line])
    assert reddish(pixels(shapely.Point(50, 50), line, both)).sum() > 200
