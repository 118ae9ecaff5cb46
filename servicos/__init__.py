"""Servicos: what can be asked for."""
