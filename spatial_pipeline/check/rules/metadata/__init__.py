"""Rules about the file, its schema and its attributes."""
