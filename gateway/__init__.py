"""The GraphQL gateway: one schema over four services, nothing stored."""
