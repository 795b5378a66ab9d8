"""The gate: verdicts and the decision whether a version may be published. No I/O."""
