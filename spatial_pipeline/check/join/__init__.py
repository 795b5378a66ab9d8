"""Kernels that pair the features of two datasets and compare the pairs."""
