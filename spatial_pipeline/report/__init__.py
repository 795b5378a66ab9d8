"""Results → tables, layers and pages for people."""
