"""netCDF classic and netCDF-4: random grids with coordinates, and an oracle for both.

The oracle parses the classic format itself (NetCDF Classic Format Specification, UCAR), and reads
netCDF-4 with h5py; the Climate and Forecast conventions say where a grid lies.
"""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray
from scipy.io import netcdf_file

from spatial_pipeline.contract.source import Source
from spatial_pipeline.ingest import CageLimits, ingest
from spatial_pipeline.model.profile import Profile, RasterProfile
from spatial_pipeline_tests.fuzz import harness, rasters

KIND = "raster"
CLASSIC = ("int8", "int16", "int32", "float32", "float64")
MODERN = (*CLASSIC, "uint8", "uint16", "uint32", "int64", "uint64")
LIMITS = CageLimits(cpu_s=5, wall_s=60)
"""Longest that a file may take: of processor time, and in all."""
TYPES = {1: "i1", 2: "S1", 3: "i2", 4: "i4", 5: "f4", 6: "f8"}
FILL: dict[str, Any] = {
    "i2": -32767, "i4": -2147483647, "f4": np.float32(9.969209968386869e36),
    "f8": 9.969209968386869e36, "u2": 65535, "u4": 4294967295, "i8": -9223372036854775806,
    "u8": 18446744073709551614,
}  # fmt: skip
"""Values that stand for none where a variable does not say it, by type."""


@dataclass(frozen=True)
class Variable:
    """A variable as the file has it."""

    axes: tuple[str, ...]
    values: NDArray[Any]
    attributes: dict[str, Any]


def write(rng: random.Random, folder: Path) -> Path:
    """A sound file with one grid, one or several bands, rows upwards or downwards."""
    modern = rng.random() < 0.4
    dtype = rng.choice(MODERN if modern else CLASSIC)
    bands, height, width = rng.choice([1, 1, 2, 3]), rng.randint(2, 20), rng.randint(2, 20)
    values = rasters.values(rng, bands, height, width, dtype)
    size = rng.choice([10.0, 0.25, 30.0])
    sign = rng.choice([-1, 1])
    axes = {
        "t": np.arange(bands, dtype="f8"),
        "y": 4e6 + sign * size * np.arange(height),
        "x": 5e5 + size * np.arange(width),
    }
    if bands == 1:
        del axes["t"]
        values = values[0]
    attributes: dict[str, Any] = {}
    if rng.random() < 0.4:
        attributes["_FillValue"] = np.array(rng.choice([0, 1, 7]), dtype)
    elif modern:
        # GDAL reads NaN as 0 there, and they are named.
        values = np.nan_to_num(values)
    if rng.random() < 0.2:
        attributes["units"] = "m"
    path = folder / "a.nc"
    if modern:
        _modern(rng, path, axes, values, attributes)
    else:
        _classic(rng, path, axes, values, attributes)
    return path


def _classic(
    rng: random.Random, path: Path, axes: dict[str, Any], values: Any, attributes: dict[str, Any]
) -> None:
    records = "t" in axes and rng.random() < 0.5
    with netcdf_file(path, "w", version=rng.choice([1, 2])) as file:
        for name, places in axes.items():
            file.createDimension(name, None if records and name == "t" else len(places))
        for name, places in axes.items():
            variable = file.createVariable(name, "f8", (name,))
            variable[:] = places
            if name != "t":
                variable.standard_name = f"projection_{name}_coordinate"
        variable = file.createVariable("v", values.dtype.newbyteorder(">"), tuple(axes))
        variable[:] = values
        for name, value in attributes.items():
            setattr(variable, name, value)


def _modern(
    rng: random.Random, path: Path, axes: dict[str, Any], values: Any, attributes: dict[str, Any]
) -> None:
    how: dict[str, Any] = {}
    if rng.random() < 0.6:
        how = {"chunks": tuple(max(1, n // 2) for n in values.shape)}
        how |= rng.choice([{}, {"compression": "gzip"}, {"compression": "gzip", "shuffle": True}])
        how |= rng.choice([{}, {"fletcher32": True}])
    # As the netCDF library does: structures of HDF5 1.8, whose headers have checksums.
    with h5py.File(path, "w", libver=("v108", "v108"), track_order=True) as file:
        for name, places in axes.items():
            file[name] = places
            file[name].make_scale(name)
            if name != "t":
                file[name].attrs["standard_name"] = f"projection_{name}_coordinate"
        variable = file.create_dataset("v", data=values, **how)
        for place, name in enumerate(axes):
            variable.dims[place].attach_scale(file[name])
        for name, value in attributes.items():
            variable.attrs[name] = value if isinstance(value, str) else np.atleast_1d(value)


def damage(rng: random.Random, path: Path) -> None:
    """Damage of the header: another number in it, or a cut near the end."""
    data = bytearray(path.read_bytes())
    if rng.random() < 0.3:
        del data[-rng.randint(1, 40) :]
    else:
        at = 4 * rng.randrange(1, min(len(data), 600) // 4)
        struct.pack_into(">I", data, at, rng.choice([0, 1, 2, 3, 4, 5, 6, 10, 11, 12, 2**31]))
    path.write_bytes(data)


def outcome(format_: ModuleType, path: Path, work: Path, _: harness.Stager) -> tuple[str, str]:
    """Stages in the cage, whose limits end what HDF5 does not: it spins on some damaged heaps."""
    return harness.outcome(format_, path, work, _caged)


def _caged(kind: Any, path: Path, folder: Path) -> Profile:
    target = folder / "staged"
    target.mkdir(parents=True)
    return ingest(kind, Source(uri=str(path)), None, folder, target, cage=LIMITS)


def compare(path: Path, profile: RasterProfile, staged: Path) -> str | None:
    """How the staged raster differs from the file, None when it does not."""
    try:
        noted = any("pixels off the grid" in note for note in profile.notes)
        truths = truths_of(path, 0.5 if noted else 0.01)
        if any(n.startswith("pixels that are NaN in the file") for n in profile.notes):
            truths = [_without_nan(truth) for truth in truths]
    except ValueError as exc:
        return f"passed, but the file is not well-formed: {exc}; notes: {profile.notes}"
    differences = [rasters.differs(profile, staged, truth) for truth in truths]
    if None in differences:
        return None
    return f"{differences[0]}; notes: {profile.notes}"


def _without_nan(truth: rasters.Truth) -> rasters.Truth:
    """As the note says: NaN of floats are nodata."""
    if truth.values.dtype.kind != "f" or truth.nodata is None:
        return truth
    kind = truth.values.dtype.type
    values = np.where(np.isnan(truth.values), kind(truth.nodata), truth.values)
    return rasters.Truth(values, truth.transform, truth.nodata, truth.epsg)


def truths_of(path: Path, off: float) -> list[rasters.Truth]:
    """What the file may be read as; without coordinates, no row is the upper one.

    Args:
        path: the file.
        off: pixels that a coordinate may be off an even grid.

    Raises:
        ValueError: it is not sound.

    """
    modern = path.read_bytes()[:4] == b"\x89HDF"
    variables = _read_modern(path) if modern else _Header(path.read_bytes()).variables()
    grids = [v for v in variables.values() if len(v.axes) > 1]
    if len(grids) != 1:
        raise _wrong(f"{len(grids)} grids")
    grid = grids[0]
    values = grid.values.reshape(-1, *grid.values.shape[-2:])
    values = values.astype(values.dtype.newbyteorder("="))
    # The library fills what nobody wrote; h5py says that nothing is filled.
    nodata = None if modern else FILL.get(values.dtype.str[1:])
    for name in ("missing_value", "_FillValue"):
        given = np.atleast_1d(grid.attributes.get(name, []))
        if given.size and given.dtype.kind in "iuf":
            nodata = given.ravel()[0].item()
    unplaced = [rasters.Truth(v, rasters.UNPLACED, nodata) for v in (values, values[:, ::-1])]
    axes = [variables.get(name) for name in grid.axes[-2:]]
    y, x = (_spaced(axis, name, off) for axis, name in zip(axes, grid.axes[-2:], strict=True))
    if x is None or y is None:
        return unplaced
    if y[1] > 0:
        values, y = values[:, ::-1], (y[0] + y[1] * (values.shape[1] - 1), -y[1])
    transform = x[1], 0.0, x[0] - x[1] / 2, 0.0, y[1], y[0] - y[1] / 2
    placed = rasters.Truth(values, transform, nodata)
    known = all(_is_coordinate(axis, name) for axis, name in zip(axes, "yx", strict=True))
    return [placed] if known else [placed, *unplaced]


def _is_coordinate(axis: Variable | None, name: str) -> bool:
    """Whether an axis says in the words of the conventions what it is."""
    value = {} if axis is None else axis.attributes
    text = value.get("standard_name", b"")
    text = text.tobytes() if isinstance(text, np.ndarray) else text
    text = text.encode() if isinstance(text, str) else text
    return bool(text.rstrip(b"\0") == f"projection_{name}_coordinate".encode())


def _spaced(axis: Variable | None, name: str, off: float) -> tuple[float, float] | None:
    """First coordinate and spacing, None for an axis that places nothing."""
    if axis is None or axis.axes != (name,) or axis.values.dtype.kind not in "iuf":
        return None
    places = axis.values.astype("f8")
    if len(places) < 2 or not np.isfinite(places).all():
        return None
    step = (places[-1] - places[0]) / (len(places) - 1)
    wanted = places[0] + step * np.arange(len(places))
    if not step or np.abs(places - wanted).max() > off * abs(step):
        return None
    return float(places[0]), float(step)


def _wrong(message: str) -> ValueError:
    return ValueError(message)


def _read_modern(path: Path) -> dict[str, Variable]:
    found = {}
    try:
        with h5py.File(path, "r") as file:
            for name, member in file.items():
                if not isinstance(member, h5py.Dataset):
                    raise _wrong(f"{name} is a group")
                axes = [
                    scales.keys()[0] if len(scales) else f"{name} {i}"
                    for i, scales in enumerate(member.dims)
                ]
                if member.is_scale:
                    axes = [name]
                found[name] = Variable(tuple(axes), member[()], dict(member.attrs))
    except (OSError, KeyError, RuntimeError, TypeError, UnicodeDecodeError, IndexError) as exc:
        raise _wrong(f"{type(exc).__name__}: {exc}") from exc
    return found


class _Header:
    """A classic file, read from its header on."""

    def __init__(self, data: bytes) -> None:
        if data[:3] != b"CDF" or data[3:4] not in {b"\1", b"\2"}:
            raise _wrong("no netCDF")
        self.data, self.at = data, 4
        self.offset = ">I" if data[3] == 1 else ">Q"

    def variables(self) -> dict[str, Variable]:
        records = self._next(">I")
        dimensions = [(self._text(), self._next(">I")) for _ in self._list(10)]
        self._attributes()
        read = []
        for _ in self._list(11):
            name = self._text()
            axes = [self._next(">I") for _ in range(self._bounded())]
            attributes = self._attributes()
            kind, _ = self._next(">I"), self._next(">I")
            if kind not in TYPES or any(axis >= len(dimensions) for axis in axes):
                raise _wrong(f"variable {name!r}")
            read.append((name, axes, attributes, TYPES[kind], self._next(self.offset)))
        found = {}
        sizes = [
            int(np.prod([dimensions[a][1] or 1 for a in axes])) * np.dtype(code).itemsize
            for _, axes, _, code, _ in read
            if axes and not dimensions[axes[0]][1]
        ]
        step = sizes[0] if len(sizes) == 1 else sum(-(-size // 4) * 4 for size in sizes)
        for name, axes, attributes, code, begin in read:
            shape = [dimensions[a][1] for a in axes]
            recorded = bool(shape) and not shape[0]
            if 0 in shape[1:] or name in found:
                raise _wrong(f"variable {name!r}")
            if recorded:
                parts = [self._array(begin + i * step, shape[1:], code) for i in range(records)]
                values = np.stack(parts) if parts else np.empty((0, *shape[1:]), code)
            else:
                values = self._array(begin, shape, code)
            found[name] = Variable(tuple(dimensions[a][0] for a in axes), values, attributes)
        return found

    def _array(self, begin: int, shape: list[int], code: str) -> NDArray[Any]:
        form = np.dtype(code).newbyteorder(">")
        count = 1
        for length in shape:
            count *= length
        if begin + count * form.itemsize > len(self.data):
            raise _wrong("values are missing")
        return np.frombuffer(self.data, form, count, begin).reshape(shape)

    def _attributes(self) -> dict[str, Any]:
        found = {}
        for _ in self._list(12):
            name, kind, count = self._text(), self._next(">I"), self._next(">I")
            if kind not in TYPES:
                raise _wrong(f"attribute {name!r}")
            found[name] = self._array(self.at, [count], TYPES[kind])
            self.at += -(-found[name].nbytes // 4) * 4
        return found

    def _list(self, tag: int) -> range:
        given, count = self._next(">I"), self._bounded()
        if given != tag and (given or count):
            raise _wrong(f"a list of {given}")
        return range(count)

    def _bounded(self) -> int:
        count = self._next(">I")
        if count > len(self.data):
            raise _wrong(f"{count} entries")
        return count

    def _text(self) -> str:
        size = self._bounded()
        text = self.data[self.at : self.at + size]
        self.at += -(-size // 4) * 4
        try:
            return text.decode()
        except UnicodeDecodeError as exc:
            raise _wrong(f"a name {text!r}") from exc

    def _next(self, form: str) -> int:
        try:
            (value,) = struct.unpack_from(form, self.data, self.at)
        except struct.error as exc:
            raise _wrong("the header is cut") from exc
        self.at += struct.calcsize(form)
        return int(value)
