"""Kernels of single geometries: arrays in, arrays out. They know no rule and no engine."""
