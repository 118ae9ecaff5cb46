"""What travels with one request: its trace, its deadline, its caller, and how its headers are read."""
