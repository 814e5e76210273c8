"""Commands and what they print; no logic."""
