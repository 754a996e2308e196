"""The agent's HTTP API and event stream (DESIGN section 5)."""
