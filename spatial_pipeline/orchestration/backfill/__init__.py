"""The sensor that requests backfills after a contract or schema changed."""
