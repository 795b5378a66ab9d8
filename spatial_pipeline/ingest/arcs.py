"""Circular arcs through three positions, as chords.

An arc is divided into equal parts so that no chord is farther from it than a share of its radius
and of its length. Control positions stay as they are. An arc gives the same positions in either
direction, bit by bit, so that neighbours that share it keep sharing their line.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TOLERANCE = 1e-4
"""Largest distance of a chord from its arc, as a share of the arc's radius and of its length."""
STRAIGHT = 1e-9
"""Height of an arc, as a share of its chord, below which it is a straight line."""
Reals = NDArray[np.float64]


@dataclass(frozen=True)
class Stroked:
    """Lines without arcs.

    Attributes:
        positions: (q, d) positions, those of a line together.
        owners: (q,) line of each position, ascending.
        largest: largest distance between an arc and its chords.

    """

    positions: Reals
    owners: NDArray[np.int64]
    largest: float


def stroked(
    positions: Reals, counts: NDArray[np.int64], lines: NDArray[np.int64], arcs: NDArray[np.bool_]
) -> Stroked:
    """Lines of straight and of circular runs.

    Args:
        positions: (p, d) positions of all runs: x, y and perhaps Z and M, which are interpolated
            along an arc.
        counts: (r,) positions of each run; odd where it is of arcs.
        lines: (r,) line of each run, ascending; a run begins where the one before it ends.
        arcs: (r,) whether a run is of arcs.

    """
    total = len(positions)
    run = np.repeat(np.arange(len(counts)), counts)
    within = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
    first = np.flatnonzero(arcs[run] & (within % 2 == 0) & (within < counts[run] - 1))
    inner = np.zeros(total, dtype=np.int64)
    with np.errstate(all="ignore"):
        found = _arcs(positions[first, :2], positions[first + 1, :2], positions[first + 2, :2])
    inner[first] = found.parts[0] - 1
    inner[first + 1] = found.parts[1] - 1
    # The first position of a run is the last one of the run before it in the same line.
    keep = np.ones(total, dtype=bool)
    joint = np.flatnonzero(within == 0)[1:]
    same = lines[run[joint]] == lines[run[joint - 1]]
    equal = (positions[joint] == positions[joint - 1]).all(axis=1)
    keep[joint[same & equal]] = False
    sizes = keep + inner
    ends = np.cumsum(sizes)
    out = np.empty((int(sizes.sum()), positions.shape[1]))
    out[(ends - sizes)[keep]] = positions[keep]
    for half in (0, 1):
        at, parts = first + half, found.parts[half]
        arc = np.repeat(np.arange(len(first)), parts - 1)
        step = np.arange(len(arc)) - np.repeat(np.cumsum(parts - 1) - (parts - 1), parts - 1) + 1
        place = (ends - sizes + keep)[at][arc] + step - 1
        out[place] = _between(positions[at][arc], positions[at + 1][arc], found, half, arc, step)
    return Stroked(out, np.repeat(lines[run], sizes), found.largest)


@dataclass(frozen=True)
class _Arcs:
    """k arcs in two halves each, at their middle position.

    Attributes:
        towards: (k, 2) from the start of each arc in its own order (the lesser end first) to the
            centre.
        lesser: (k, 2) that start.
        sweeps: twice (k,) signed angles of the halves.
        parts: twice (k,) chords of the halves.
        largest: largest distance between an arc and its chords.

    """

    towards: Reals
    lesser: Reals
    sweeps: tuple[Reals, Reals]
    parts: tuple[NDArray[np.int64], NDArray[np.int64]]
    largest: float


def _arcs(start: Reals, middle: Reals, end: Reals) -> _Arcs:
    turned = _after(start, end)[:, np.newaxis]
    a, b = np.where(turned, end, start), np.where(turned, start, end)
    u, v = middle - a, b - a
    cross = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
    uu, vv = (u * u).sum(axis=1), (v * v).sum(axis=1)
    whole = (vv == 0) & (uu > 0)
    towards = np.stack([v[:, 1] * uu - u[:, 1] * vv, u[:, 0] * vv - v[:, 0] * uu], axis=1)
    towards = np.where(whole[:, np.newaxis], u / 2, towards / (2 * cross)[:, np.newaxis])
    radius = np.hypot(towards[:, 0], towards[:, 1])
    # The middle lies to the right of the chord where the arc runs counterclockwise.
    way = np.where(whole, 1.0, np.sign(cross) * np.where(turned[:, 0], -1.0, 1.0))
    sweeps = [
        np.where(whole, np.pi, _sweep(p - a - towards, q - a - towards, way))
        for p, q in ((start, middle), (middle, end))
    ]
    angle = np.abs(sweeps[0]) + np.abs(sweeps[1])
    chord = np.maximum(uu, vv)
    flat = ~whole & ~(np.abs(cross) > STRAIGHT * chord)
    flat |= ~np.isfinite(radius) | ~np.isfinite(angle) | (uu == 0)
    longest = np.minimum(2 * np.arccos(1 - TOLERANCE), np.sqrt(8 * TOLERANCE * angle))
    parts = [
        np.where(flat, 1, np.ceil(np.nan_to_num(np.abs(s) / longest, nan=1.0) - 1e-9))
        .clip(1)
        .astype(np.int64)
        for s in sweeps
    ]
    largest = 0.0
    for s, n in zip(sweeps, parts, strict=True):
        apart = np.where(flat, 0.0, 2 * radius * np.sin(np.abs(s) / n / 4) ** 2)
        largest = max(largest, float(apart.max(initial=0.0)))
    return _Arcs(towards, a, (sweeps[0], sweeps[1]), (parts[0], parts[1]), largest)


def _between(
    p: Reals, q: Reals, found: _Arcs, half: int, arc: NDArray[np.int64], step: NDArray[np.int64]
) -> Reals:
    """Positions on arcs from p to q, at a step of their parts."""
    parts = found.parts[half][arc]
    turned = _after(p[:, :2], q[:, :2])
    start, end = np.where(turned[:, np.newaxis], q, p), np.where(turned[:, np.newaxis], p, q)
    share = np.where(turned, parts - step, step) / parts
    angle = np.where(turned, -1.0, 1.0) * found.sweeps[half][arc] * share
    out = start + (end - start) * share[:, np.newaxis]
    spoke = start[:, :2] - found.lesser[arc] - found.towards[arc]
    # Rotation as a displacement, which loses nothing where the radius is large.
    turn, sine = -2 * np.sin(angle / 2) ** 2, np.sin(angle)
    out[:, 0] = start[:, 0] + (turn * spoke[:, 0] - sine * spoke[:, 1])
    out[:, 1] = start[:, 1] + (sine * spoke[:, 0] + turn * spoke[:, 1])
    return out


def _after(p: Reals, q: Reals) -> NDArray[np.bool_]:
    """(k,) whether p comes behind q, by x and then by y."""
    behind: NDArray[np.bool_] = (p[:, 0] > q[:, 0]) | ((p[:, 0] == q[:, 0]) & (p[:, 1] > q[:, 1]))
    return behind


def _sweep(p: Reals, q: Reals, way: Reals) -> Reals:
    """Signed angle from one spoke to another, counterclockwise where ``way`` is positive."""
    angle = np.arctan2(p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0], (p * q).sum(axis=1))
    turn = 2 * np.pi * ((way > 0) & (angle < 0)) - 2 * np.pi * ((way < 0) & (angle > 0))
    swept: Reals = angle + turn
    return swept
