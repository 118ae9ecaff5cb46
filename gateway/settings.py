"""What the gateway reads from its environment."""

from typing import Annotated, Literal

from pydantic import Field

from chassis import settings
from chassis.query.pagination import MAX_IDS
from chassis.settings import BaseUrl, NeighbourSettings

LARGEST_COUNT = 10**9
"""A larger count is reported as this number, because nested fragments or pages can ask for more than an integer in JSON
can hold."""


class Limits(settings.ProcessSettings):
    """What one request may ask for."""

    max_document_length: Annotated[int, Field(ge=100, le=1_000_000)] = 100_000
    max_tokens: Annotated[int, Field(ge=10, le=50_000)] = 2_000
    # Must stay below 200: graphql-core's parser and validation are recursive, and refuse to go deeper.
    max_depth: Annotated[int, Field(ge=5, le=100)] = 30
    max_selections: Annotated[int, Field(ge=10, le=50_000)] = 2_000
    max_root_fields: Annotated[int, Field(ge=1, le=5_000)] = 50
    max_aliases: Annotated[int, Field(ge=0, le=5_000)] = 100
    max_directives: Annotated[int, Field(ge=0, le=5_000)] = 100
    max_fragments: Annotated[int, Field(ge=0, le=400)] = 200
    max_variables: Annotated[int, Field(ge=0, le=5_000)] = 100
    max_values: Annotated[int, Field(ge=0, le=1_000_000)] = 10_000
    max_overlaps: Annotated[int, Field(ge=100, le=500_000)] = 3_000
    max_cost: Annotated[int, Field(ge=1, le=LARGEST_COUNT)] = 50_000
    rate_limit: Annotated[int, Field(ge=0, le=LARGEST_COUNT)] = 0
    """The cost that one caller's operations may have in a minute; 0 means no limit."""


class Settings(NeighbourSettings, Limits):
    # rendered by `make render` from deploy/topology.py
    catalogo_url: BaseUrl
    pessoas_url: BaseUrl
    servicos_url: BaseUrl
    solicitacoes_url: BaseUrl
    # end of what is rendered
    filter_max_ids: Annotated[int, Field(ge=1, le=MAX_IDS)] = MAX_IDS
    """How many rows of another service a nested filter may match. The services return no more ids than the default."""
    max_subscriptions: Annotated[int, Field(ge=0, le=1_000_000)] = 20_000
    """How many subscriptions may be open in one process."""
    max_subscriptions_of_one: Annotated[int, Field(ge=0, le=1_000_000)] = 200
    """How many of them may be one caller's: a token's subject, or an address."""
    introspection: Literal["on", "off"] = "on"
