"""The header `Read-After`: how far the changes of services must be known here before rows are served from memory.

An answer to a write names the position of that write. Who sends it back sees the write, whichever process answers.
"""

from collections.abc import Collection

from chassis.errors import Malformed
from chassis.neighbours.follower import FeedPosition
from chassis.neighbours.transport import Answer

HEADER = "Read-After"
LONGEST = 1000
"""How many characters the header may have."""


def parse_positions(value: str, services: Collection[str]) -> dict[str, FeedPosition]:
    """Reads positions, `<service>:<epoch>:<number>`, separated by commas. Raises Malformed."""
    found: dict[str, FeedPosition] = {}
    for one in value.split(",") if len(value) <= LONGEST else [""]:
        service, _, position = one.strip().partition(":")
        epoch, _, seq = position.partition(":")
        if service not in services or not epoch or not (seq.isascii() and seq.isdigit() and len(seq) < 20):
            raise Malformed(f"{HEADER} deve ter posições, <serviço>:<época>:<número>, separadas por vírgulas")
        add_position(found, service, FeedPosition(epoch, int(seq)))
    return found


def add_position(positions: dict[str, FeedPosition], service: str, position: FeedPosition) -> None:
    """Adds a position of a service; of two in the same epoch, the later one stays."""
    known = positions.get(service)
    if known is None or known.epoch != position.epoch or known.seq < position.seq:
        positions[service] = position


def position_of_write(answer: Answer) -> FeedPosition | None:
    """The position that a service's answer to a write names; None if it names none."""
    epoch, _, seq = answer.header(HEADER).partition(":")
    return FeedPosition(epoch, int(seq)) if epoch and seq.isascii() and seq.isdigit() else None
