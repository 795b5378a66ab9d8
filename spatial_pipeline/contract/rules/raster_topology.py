"""Rules about how rasters lie to each other, and to features."""

from __future__ import annotations
