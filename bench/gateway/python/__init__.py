"""The contestants that are written in Python."""
