"""Solicitacoes: who asked for which service on which product, and the REST coordinator view of it."""
