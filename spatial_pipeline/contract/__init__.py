"""What a user writes: models, loading, JSON schema."""
