"""Evaluation of pieces on the workers of a Dask scheduler: client, batching, worker."""
