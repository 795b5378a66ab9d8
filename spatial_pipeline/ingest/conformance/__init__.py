"""Evidence of how far a file obeys the specification of its format, one module a format.

A module states the requirements that it judges and adds findings to a ``Judge``. It reads the file
itself, beside GDAL, which mends or passes over much of what is judged here.
"""
