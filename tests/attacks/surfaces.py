"""All attacks on a system that asks nobody who they are, by surface. `identity` has those on one that does."""

from tests.attacks import bad_requests, document, pages, rest, transport
from tests.attacks.attack import Attack

SURFACES: dict[str, list[Attack]] = {
    "document": document.ATTACKS,
    "transport": transport.ATTACKS,
    "HTTP": bad_requests.ATTACKS,
    "pages": pages.ATTACKS,
    "REST": rest.ATTACKS,
}
