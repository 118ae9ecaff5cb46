"""Benchmarks: this project against others that do the same work."""
