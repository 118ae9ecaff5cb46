"""Who is calling: bearer tokens are verified, and each caller's requests per minute are limited."""
