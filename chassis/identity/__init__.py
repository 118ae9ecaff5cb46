"""Who is calling: bearer tokens are verified with their issuer's keys, and each caller's requests per minute are
limited."""
