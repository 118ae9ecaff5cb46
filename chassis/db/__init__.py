"""PostgreSQL: connections, transactions, the SQL of collections, stored answers for retries, and migrations."""
