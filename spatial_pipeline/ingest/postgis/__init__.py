"""Reads tables and queries of PostGIS, and tells whether they changed."""
