"""Evidence of damage from the bytes of a file, read beside GDAL; one module per format.

Reading features or pixels for staging is not done here.
"""
