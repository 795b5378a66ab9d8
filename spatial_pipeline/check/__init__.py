"""Staged version → results: the rules by family, and the engine that runs them."""
