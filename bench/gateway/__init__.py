"""Compares our GraphQL gateway with others, with the same stub of the four services behind each of them."""
