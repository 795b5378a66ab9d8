"""Sources on other machines."""
