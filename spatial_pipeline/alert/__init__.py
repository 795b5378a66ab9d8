"""Facts → incidents → messages → channels; knows neither Dagster nor the store."""
