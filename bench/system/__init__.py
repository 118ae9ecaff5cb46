"""What one Painel costs the whole system: the gateway, the four services and PostgreSQL together."""
