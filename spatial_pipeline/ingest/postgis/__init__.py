"""PostGIS as a source: tables, views and queries, and their change tokens. Writes nothing."""
