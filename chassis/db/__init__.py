"""PostgreSQL: connections and transactions, the SQL of collections, stored answers for `Idempotency-Key`, and
migrations."""
