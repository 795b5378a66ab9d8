"""Rules about the accuracy of features against control points."""

from __future__ import annotations
