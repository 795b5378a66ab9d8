"""Bytes of sources: local files, archives, web servers, object stores; fingerprints; access rules.

Files are resolved, fetched and hashed here. Their content is decoded in ``ingest``.
"""
