"""What this service, which also asks the three others, reads from its environment."""

from chassis.settings import BaseUrl, DatabaseSettings, NeighbourSettings


class Settings(DatabaseSettings, NeighbourSettings):
    catalogo_url: BaseUrl
    pessoas_url: BaseUrl
    servicos_url: BaseUrl
