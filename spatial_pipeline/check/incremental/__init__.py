"""What a check leaves for the next version, and takes from the one before."""
