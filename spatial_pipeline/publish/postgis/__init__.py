"""Published versions in PostGIS, over asyncpg."""
