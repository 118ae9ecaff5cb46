"""Other services as they are asked: one way to call them, with deadlines, retries, a breaker and a bulkhead."""
