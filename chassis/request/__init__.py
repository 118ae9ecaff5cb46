"""What travels with one request: its trace, its deadline and its caller. Also how its headers are read."""
