"""Polygons that must be covered by polygons of 500 vertices, beside the peers on the same files.

    python benchmarks/covered_polygons.py --features 200000 --peers-python .venv-peers/bin/python

N polygons of 17 vertices in N/200 polygons; every thousandth lies outside of all, and some that
stand across a border do not lie within. The answer is their identifiers.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import covered
import turns

if __name__ == "__main__":
    turns.race(
        Path(__file__), "must_be_covered_by: N polygons in N/200 polygons of 500 vertices",
        partial(covered.generate, vertices=17), covered.sides("ST_Covers"), covered.TARGETS,
        200_000,
    )  # fmt: skip
