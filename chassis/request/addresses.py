"""Who counts as one peer: an address; of IPv6 its /64, since one customer has all of it."""

from ipaddress import IPv6Address


def network(address: str) -> str:
    """What `address` is counted under."""
    if ":" not in address:
        return address
    try:
        parsed = IPv6Address(address)
    except ValueError:  # as a proxy has spelled it
        return address
    return str(parsed.ipv4_mapped or parsed.packed[:8].hex())
