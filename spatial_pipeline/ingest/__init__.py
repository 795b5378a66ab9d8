"""Source → staged version: fetch, fingerprint, vector → GeoParquet, raster → COG."""
