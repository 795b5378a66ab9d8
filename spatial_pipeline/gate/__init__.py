"""Results → verdict → open or held, with reasons."""
