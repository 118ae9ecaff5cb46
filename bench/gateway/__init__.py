"""The GraphQL gateway against its peers, over the same stub of the four services."""
