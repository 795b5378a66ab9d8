"""source_watch."""
