"""Which addresses count as one peer: an IPv4 address is one peer, and so is a whole IPv6 /64, since one customer has
all of it."""

from ipaddress import IPv6Address


def network(address: str) -> str:
    """The key under which `address` is counted."""
    if ":" not in address:
        return address
    try:
        parsed = IPv6Address(address)
    except ValueError:  # a proxy may send something that is no address
        return address
    return str(parsed.ipv4_mapped or parsed.packed[:8].hex())
