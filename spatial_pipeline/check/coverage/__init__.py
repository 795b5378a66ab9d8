"""Kernels of coverages: shared edges, overlaps, gaps, what a union leaves uncovered."""
