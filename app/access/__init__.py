"""Who may ask what, and how often; no HTTP in it."""
