"""The Portuguese words that follow a noun's gender, for the descriptions that are made from the noun."""

from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Words:
    """A noun with its article, and what descriptions say around it."""

    the: str
    one: str
    in_the: str
    of_the: str
    by_the: str
    the_new: str
    of_the_new: str
    it: str
    created: str
    deleted: str
    ascending: str
    descending: str
    oldest_first: str
    newest_first: str


@cache
def words(noun: str) -> Words:
    """The words for a noun that is given with its article: `o nome`, `a pessoa`."""
    article, name = noun.split(" ", 1)
    if article == "a":
        return Words(
            the=f"a {name}",
            one=f"uma {name}",
            in_the=f"na {name}",
            of_the=f"da {name}",
            by_the=f"pela {name}",
            the_new=f"a nova {name}",
            of_the_new=f"da nova {name}",
            it="ela",
            created="criada",
            deleted="excluída",
            ascending="da menor à maior",
            descending="da maior à menor",
            oldest_first="da mais antiga à mais recente",
            newest_first="da mais recente à mais antiga",
        )
    assert article == "o", f"{noun} does not begin with an article"
    return Words(
        the=f"o {name}",
        one=f"um {name}",
        in_the=f"no {name}",
        of_the=f"do {name}",
        by_the=f"pelo {name}",
        the_new=f"o novo {name}",
        of_the_new=f"do novo {name}",
        it="ele",
        created="criado",
        deleted="excluído",
        ascending="do menor ao maior",
        descending="do maior ao menor",
        oldest_first="do mais antigo ao mais recente",
        newest_first="do mais recente ao mais antigo",
    )


def sentence(text: str) -> str:
    """The text as a sentence: with a capital letter and a full stop."""
    return f"{text[0].upper()}{text[1:]}."
