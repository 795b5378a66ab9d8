import struct
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest
import shapely

from spatial_pipeline.model.features import FeatureBatch, decoded

CURVE = struct.pack("<BII6d", 1, 8, 3, 0, 0, 1, 1, 2, 0)
POINT = shapely.to_wkb(shapely.Point(1, 2))


def column(*wkb):
    out = np.empty(len(wkb), dtype=object)
    out[:] = wkb
    return out


def test_what_does_not_decode_is_none():
    found = decoded(column(POINT, None, b"\x01", CURVE, POINT))
    assert [None if g is None else g.wkt for g in found] == [
        "POINT (1 2)",
        None,
        None,
        None,
        "POINT (1 2)",
    ]
    assert len(decoded(column())) == 0


def test_nan_coordinates_decode_without_a_warning():
    ring = [(0.0, 0.0), (float("nan"), 0.0), (1.0, 1.0), (0.0, 0.0)]
    body = b"".join(struct.pack("<dd", *p) for p in ring)
    (polygon,) = decoded(column(struct.pack("<BIII", 1, 3, 1, 4) + body))
    assert np.isnan(shapely.get_coordinates(polygon)).sum() == 1


def test_taking_keeps_rows_columns_and_geometries_together():
    batch = FeatureBatch(
        rows=np.array([5, 6, 7]),
        positions=np.array([0, 1, 2]),
        table=pa.table({"a": ["x", "y", "z"]}),
        wkb=pa.array([POINT, None, CURVE], pa.binary()),
        crs=None,
    )
    for index in (np.array([2, 0]), np.array([True, False, True])):
        taken = batch.take(index)
        assert len(taken) == 2
        assert set(taken.rows.tolist()) == {5, 7}
        assert dict(zip(taken.rows.tolist(), taken.table["a"].to_pylist(), strict=True)) == {
            5: "x",
            7: "z",
        }
        assert (taken.geometry[taken.rows.tolist().index(5)]).wkt == "POINT (1 2)"


def test_batches_are_decoded_side_by_side_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(2, timeout=10)
    times = []

    def slow(wkb: np.ndarray) -> np.ndarray:
        times.append(len(wkb))
        together.wait()
        return decoded(wkb)

    monkeypatch.setattr("spatial_pipeline.model.features.decoded", slow)
    batches = [
        FeatureBatch(np.arange(1), np.arange(1), pa.table({}), pa.array([POINT]), None)
        for _ in range(2)
    ]
    with ThreadPoolExecutor(4) as pool:
        first, again, second, too = pool.map(lambda b: b.geometry, [*batches, *batches])
    assert times == [1, 1]
    assert first is second
    assert again is too


def test_long_columns_are_decoded_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    wkb = column(POINT, None, POINT, b"\x01", POINT)
    whole = decoded(wkb)
    for size in (1, 22, 43, 1000):
        monkeypatch.setattr("spatial_pipeline.model.features.DECODED_BYTES", size)
        assert decoded(wkb).tolist() == whole.tolist()
