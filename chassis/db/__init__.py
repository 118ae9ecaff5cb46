"""The PostgreSQL half of the chassis; the gateway never reaches it."""
