"""Base classes of checks that several rules share."""
