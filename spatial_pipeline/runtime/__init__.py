"""The process: event loop, threads, memory, cancellation, JSON. Nothing geospatial."""
