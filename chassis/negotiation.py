"""Content negotiation (RFC 9110, section 12): how much a client wants a media type."""

from functools import lru_cache


@lru_cache(256)
def quality(accept: str, media_type: str) -> float:
    """The weight, 0 to 1, that an Accept header gives to `media_type`; the most specific range decides."""
    weights: dict[str, float] = {}
    for part in accept.lower().split(","):
        media_range, *parameters = (piece.strip() for piece in part.split(";"))
        weight = next((one[2:] for one in parameters if one.startswith("q=")), "1")
        weights[media_range] = float(weight) if weight.replace(".", "", 1).isdecimal() else 1.0
    family = media_type.split("/")[0] + "/*"
    return next((weights[one] for one in (media_type, family, "*/*") if one in weights), 0.0)
