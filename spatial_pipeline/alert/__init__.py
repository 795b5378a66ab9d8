"""Problems → incidents → messages → channels; imports neither Dagster nor the store."""
