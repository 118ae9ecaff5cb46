"""Which host a request is for (RFC 9110, 7.2 and 7.4): it must be one of `ALLOWED_HOSTS`, or an address.

An attacker's web page may let its own name point to this machine (DNS rebinding). For the browser our answers then come
from the page's own origin, and CORS does not protect them. But the browser still sends that name in `Host`. An address
cannot be rebound, so probes and scrapers, which call by address, need no entry in the list.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

AUTHORITY = re.compile(rb"(\[[0-9a-f:.]+\]|[a-z0-9._~!$&'()*+,;=%-]+)(?::[0-9]{0,5})?", re.IGNORECASE)
"""RFC 3986, 3.2, without user information, which an HTTP request may not contain (RFC 9110, 4.2.4)."""
ABSOLUTE = re.compile(rb"https?://([^/?#]*)", re.IGNORECASE)
"""A request target in absolute form."""
MAX_CACHED = 128
"""How many results are kept: a handful in practice, and a few MB at most when a client invents long authorities."""


class AllowedHosts:
    """Checks hosts against `names`: `api.example.com` is one name, `*.example.com` stands for all names below it, `*`
    for any."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        self._endings = tuple(name[1:] for name in self._names if name.startswith("*."))
        self.refusal_status = lru_cache(MAX_CACHED)(self._refusal_status)
        """Returns the status that refuses a request for this authority, or None. It takes the bytes of `Host` as they
        came."""

    def _refusal_status(self, authority: bytes) -> int | None:
        found = AUTHORITY.fullmatch(authority.rstrip(b" \t"))  # RFC 9110, 5.5: the parser leaves blanks there
        if found is None:
            return 400
        name = found[1].decode().lower().removesuffix(".")
        if name.startswith("["):
            return None if _is_address(IPv6Address, name[1:-1]) else 400
        if name in self._names or name.endswith(self._endings) or "*" in self._names or _is_address(IPv4Address, name):
            return None
        return 421


def _is_address(kind: type[IPv4Address | IPv6Address], text: str) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return True
