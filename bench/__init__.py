"""What we are fast at, against whom, on the same work."""
