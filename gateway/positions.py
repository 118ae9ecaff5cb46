"""Positions in the services' feeds of changes, as clients have them: the `cursor` of one change, and `Query.posicao`.

The text of one position is `pessoas:<epoch>:<number>`. Several are joined by commas, one for each service. Clients take
a text as it is.
"""

import re
from collections.abc import Mapping

from chassis.errors import Gone, invalid
from chassis.neighbours.follower import FeedPosition

ONE = re.compile(r"([a-z][a-z0-9_]{0,62}):([0-9a-f-]{36}):([0-9]{1,18})")
LONGEST = 10_000
"""How many characters a text with positions may have."""


def position_text(service: str, position: FeedPosition) -> str:
    """The text of one position."""
    return f"{service}:{position.epoch}:{position.seq}"


def positions_text(positions: Mapping[str, FeedPosition]) -> str:
    """The text of the positions in several services."""
    return ",".join(position_text(service, position) for service, position in positions.items())


def read_position(text: str, service: str, field: str) -> FeedPosition:
    """The position in `service`. Raises Invalid for a text that is none of ours, and Gone if it says nothing about the
    service, which could not be asked when the text was made."""
    found: dict[str, FeedPosition] = {}
    for one in text.split(",") if len(text) <= LONGEST else ("",):
        match = ONE.fullmatch(one)
        if match is None:
            raise invalid(field, "INVALID", "não é um cursor de uma mudança, nem uma posicao")
        found[match[1]] = FeedPosition(match[2], int(match[3]))
    if service not in found:
        raise Gone(f"esta posição nada diz de {service}; consulte de novo, com posicao")
    return found[service]
