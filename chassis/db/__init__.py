"""PostgreSQL: connections and transactions, statements of collections, remembered answers, migrations."""
