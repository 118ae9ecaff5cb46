"""How other services are called, how their changes are followed, and how their rows are kept in memory meanwhile."""
