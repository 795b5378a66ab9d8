"""Kernels of raster windows: grids, regions of pixels, differences, warping."""
