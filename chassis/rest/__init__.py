"""The REST dialect of this system: collections and their members, and their OpenAPI document."""
