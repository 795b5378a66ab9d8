"""Checks of a staged version: the rules, the engine that runs them, and their kernels. No I/O."""
