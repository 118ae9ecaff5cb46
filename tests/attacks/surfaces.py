"""All attacks on a system with AUTH_MODE=off, by surface. `identity` has the attacks on a system that requires
tokens."""

from tests.attacks import bad_requests, changes, document, joint_reads, live, pages, rest, transport
from tests.attacks.attack import Attack

SURFACES: dict[str, list[Attack]] = {
    "document": document.ATTACKS,
    "transport": transport.ATTACKS,
    "HTTP": bad_requests.ATTACKS,
    "pages": pages.ATTACKS,
    "REST": rest.ATTACKS,
    "joint reads": joint_reads.ATTACKS,
    "changes": changes.ATTACKS,
    "live queries": live.ATTACKS,
}
