"""Pessoas: who asks for services."""
