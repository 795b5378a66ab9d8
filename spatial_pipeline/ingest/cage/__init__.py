"""The cage: foreign files are opened in a child process that can do nothing else.

``client`` is what the parent calls; ``server`` is the process that waits, with everything
imported, and forks a supervised worker for each source; ``worker`` shuts itself in (``landlock``,
``seccomp``, ``limits``) and stages one source.
"""
