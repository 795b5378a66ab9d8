"""Readers of vector file formats: each turns a file into a ``Layer`` of Arrow batches."""
