"""The alert sensor: reads finished runs and hands their problems to ``alert``."""
