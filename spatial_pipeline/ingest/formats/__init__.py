"""Readers of vector file formats, one or more modules each: file → ``Layer`` of Arrow batches.

Writing, and comparison with evidence from the file itself (``integrity``), are not done here.
"""
