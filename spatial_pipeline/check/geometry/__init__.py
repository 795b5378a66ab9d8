"""Kernels of single geometries: arrays in, arrays out. They import no rule and no engine."""
