"""Forms of rules: base classes and decorators that several rules share."""
