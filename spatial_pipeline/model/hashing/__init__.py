"""Hashes and checksums that do not depend on the order of rows or pixels."""
