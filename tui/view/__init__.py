"""What the screens show: pure functions from state to rows of (text, role)."""
