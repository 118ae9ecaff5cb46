"""How other services are called: with deadlines, retries, a circuit breaker and a bulkhead."""
