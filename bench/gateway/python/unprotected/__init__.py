"""Our gateway without breaker, bulkhead and retries, served by `chassis.serve`."""
