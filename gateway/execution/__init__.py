"""Runs an operation: compiles it into a plan, estimates its cost, and executes it. Start with `operation.py`."""
