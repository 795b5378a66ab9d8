"""Rules about the spatial relations between features."""
