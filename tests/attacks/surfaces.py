"""All attacks on a system that asks nobody who they are, by surface. `identity` has those on one that does."""

from tests.attacks import document, http, pages, rest, transport
from tests.attacks.attack import Attack

SURFACES: dict[str, list[Attack]] = {
    "document": document.ATTACKS,
    "transport": transport.ATTACKS,
    "HTTP": http.ATTACKS,
    "pages": pages.ATTACKS,
    "REST": rest.ATTACKS,
}
