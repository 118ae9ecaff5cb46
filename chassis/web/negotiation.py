"""Content negotiation (RFC 9110, 12): the weight that a client gives to a media type."""

import re
from functools import lru_cache
from typing import NamedTuple

from chassis.request.headers import parameter, parts

WORD = r"[!#$%&'*+.^_`|~0-9a-z-]+"
RANGE = re.compile(rf"\*/\*|(?!\*){WORD}/{WORD}")
WEIGHT = re.compile(r"[0-9]+(\.[0-9]*)?|\.[0-9]+", re.ASCII)
EVENT_STREAM = "text/event-stream"
OUR_PARAMETERS = {("charset", "utf-8")}
"""The parameters of our answers: all of them are UTF-8."""


class Range(NamedTuple):
    """One member of an Accept header."""

    media: str
    parameters: frozenset[tuple[str, str]]
    weight: float


@lru_cache(256)
def quality(accept: str, media_type: str) -> float:
    """The weight, 0 to 1, that an Accept header gives to `media_type`. The most specific range decides.

    A header that names no valid range, being empty or malformed, accepts everything.
    """
    order = ("*/*", media_type.partition("/")[0] + "/*", media_type)
    ranges = _ranges(accept, order)
    if ranges:
        return max((order.index(one.media), len(one.parameters), one.weight) for one in ranges)[-1]
    return 0.0 if any(RANGE.fullmatch(_media(member)) for member in parts(accept.lower(), ",")) else 1.0


@lru_cache(256)
def is_named(accept: str, media_type: str) -> bool:
    """Whether an Accept header names `media_type` itself, and not only a wildcard."""
    return bool(_ranges(accept, (media_type,)))


def _ranges(accept: str, media: tuple[str, ...]) -> list[Range]:
    """The members of `accept` that name one of `media`, and whose parameters fit our answers. A malformed weight is
    ignored."""
    ranges: list[Range] = []
    for member in parts(accept.lower(), ","):
        if _media(member) not in media:
            continue
        parameters: set[tuple[str, str]] = set()
        weight = 1.0
        for name, value in map(parameter, parts(member, ";")[1:]):
            if name == "q":
                weight = min(1.0, float(value)) if WEIGHT.fullmatch(value) else 1.0
                break  # what follows the weight is no parameter of the media type
            if value:
                parameters.add((name, value))
        if parameters <= OUR_PARAMETERS:
            ranges.append(Range(_media(member), frozenset(parameters), weight))
    return ranges


def _media(member: str) -> str:
    return member.partition(";")[0].rstrip(" \t")
