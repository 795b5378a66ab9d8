"""Open verdict → published version."""
