"""Whom a request is for (RFC 9110, 7.2 and 7.4): one of `ALLOWED_HOSTS`, or an address.

A web page may point its own name at this machine (DNS rebinding). To the browser our answers are then its own, and no
CORS stands between; but the browser still sends that name in `Host`. An address cannot be rebound, so that probes and
scrapers, which call by address, need no entry in the list.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

AUTHORITY = re.compile(rb"(\[[0-9a-f:.]+\]|[a-z0-9._~!$&'()*+,;=%-]+)(?::[0-9]{0,5})?", re.IGNORECASE)
"""RFC 3986, 3.2, without user information, which no HTTP request may carry (RFC 9110, 4.2.4)."""
ABSOLUTE = re.compile(rb"https?://([^/?#]*)", re.IGNORECASE)
"""A request's target in absolute form."""
MAX_CACHED = 128
"""Authorities whose judgement is kept: a handful in practice, and some MB at most when somebody invents long ones."""


class AllowedHosts:
    """Judges by `names`: `api.example.com` is one name, `*.example.com` all below it, `*` any."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        self._endings = tuple(name[1:] for name in self._names if name.startswith("*."))
        self.refusal_status = lru_cache(MAX_CACHED)(self._refusal_status)
        """The status that refuses a request for this authority, or None: called with `Host`'s bytes, as they came."""

    def _refusal_status(self, authority: bytes) -> int | None:
        found = AUTHORITY.fullmatch(authority.rstrip(b" \t"))  # RFC 9110, 5.5; the parser leaves it there
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
