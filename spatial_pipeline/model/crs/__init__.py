"""Comparison of coordinate reference systems by behaviour. No I/O, no transformation of data."""
