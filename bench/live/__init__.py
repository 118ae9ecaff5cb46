"""Measures live queries: memory at rest, the CPU of an event, and how late events come."""
