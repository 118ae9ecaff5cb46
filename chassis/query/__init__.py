"""What can be asked of a collection, and the places between its rows; the database and REST both stand on it."""
