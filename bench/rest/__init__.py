"""Compares our REST services with the floor (bare psycopg and orjson), the plain SQLModel way, and Django REST
Framework."""
