"""Results as tables, layers and pages for people. No decision is made here."""
