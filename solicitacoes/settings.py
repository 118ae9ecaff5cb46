"""What this service reads from its environment: its database, and the addresses of the three other services."""

from chassis.settings import BaseUrl, DatabaseSettings, NeighbourSettings


class Settings(DatabaseSettings, NeighbourSettings):
    catalogo_url: BaseUrl
    pessoas_url: BaseUrl
    servicos_url: BaseUrl
