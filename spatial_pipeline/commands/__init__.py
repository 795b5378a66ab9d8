"""What a person can type: a module a command, and what they have in common."""
