"""What this service reads from its environment: what every service with a database does."""

from chassis.settings import DatabaseSettings

Settings = DatabaseSettings
