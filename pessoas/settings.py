"""What this service reads from its environment: the settings of every service with a database."""

from chassis.settings import DatabaseSettings

Settings = DatabaseSettings
