"""Runs rules: pieces, threads, memory, results. Knows no rule by name."""
