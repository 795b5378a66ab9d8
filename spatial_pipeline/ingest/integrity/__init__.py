"""Evidence from the file itself, read beside GDAL, one module a format."""
