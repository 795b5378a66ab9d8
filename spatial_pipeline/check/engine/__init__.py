"""Engine that runs rules: pieces, threads, memory, results. It knows no rule by name."""
