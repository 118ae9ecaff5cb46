"""The service pessoas: the people who ask for servicos."""
