"""Rules about single geometries and pixels."""
