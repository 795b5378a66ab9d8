"""Differential fuzzing of ingest: staged equals the file cell by cell, or the defect is named."""
