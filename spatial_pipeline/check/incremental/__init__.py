"""Caches of earlier checks: of features, of pieces, and of residual edges."""
