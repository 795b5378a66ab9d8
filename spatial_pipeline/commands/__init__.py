"""Command-line commands, one module each, and their shared code."""
