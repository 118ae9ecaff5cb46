"""The text of a document, before it is parsed: its length, its tokens, and how deep its brackets nest."""

import re

from gateway.errors import LimitExceededError
from gateway.limits.bounds import refuse_over
from gateway.settings import Limits

IGNORED = " \t\r\n,\ufeff"
OPENING, CLOSING = 1, 2

# One match for each token of the lexer, comments included, since it keeps those too. A string that does not end takes
# what is left, and anything else that is no token is taken by one character: the parser stops there, so that what
# follows does not matter. Linear: possessive quantifiers (`*+`) never give back what they took.
TOKEN = re.compile(
    rf"""[{IGNORED}]*+
    (?: ([{{(\[])
      | ([\]}})])
      | [_A-Za-z][_0-9A-Za-z]*+
      | -?+[0-9]++(?:\.[0-9]++)?+(?:[eE][+-]?+[0-9]++)?+
      | \.\.\.
      | "{{3}}(?:[^"\\]++|\\(?:"{{3}})?+|"(?!""))*+(?:"{{3}})?+
      | "(?:[^"\\\r\n]++|\\[^\r\n])*+"?+
      | \#[^\r\n]*+
      | .
    )""",
    re.X | re.S,
)


def scan(text: str, limits: Limits) -> None:
    """Raises LimitExceededError for a document that the parser should not even see."""
    refuse_over(limits, max_document_length=len(text))
    most = limits.max_tokens
    depth = deepest = 0
    for tokens, token in enumerate(TOKEN.finditer(text.rstrip(IGNORED)), 1):
        if tokens > most:  # counting on would cost as much as the rest is long
            raise LimitExceededError("max_tokens", tokens, most)
        if token.lastindex == OPENING:
            depth += 1
            deepest = max(deepest, depth)
        elif token.lastindex == CLOSING:
            depth -= 1
    refuse_over(limits, max_depth=deepest)
