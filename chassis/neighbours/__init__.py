"""How other services are called, with deadlines, retries, a circuit breaker and a bulkhead; and how their changes are
followed, and their rows kept in memory until they change."""
