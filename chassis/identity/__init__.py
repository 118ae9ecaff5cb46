"""Who is calling: bearer tokens judged by their issuer's keys, and what one caller may ask for in a minute."""
