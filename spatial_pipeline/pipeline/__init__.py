"""The use cases: the one room in which the stages meet."""
