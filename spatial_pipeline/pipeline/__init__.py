"""The use cases: the only folder in which ingest, check, gate, publish and store meet."""
