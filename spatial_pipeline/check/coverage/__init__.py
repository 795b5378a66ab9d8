"""Kernels of coverages: shared edges, overlaps, gaps, differences with a union."""
