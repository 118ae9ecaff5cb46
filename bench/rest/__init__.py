"""The REST hot path beside the floor (bare psycopg and orjson), the plain SQLModel way, and Django REST Framework."""
