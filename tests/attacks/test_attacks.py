"""Runs every attack that is not slow by its nature once. `make attack` repeats them, and measures how they slow others
down."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import psutil
import pytest

from tests import issuer
from tests.attacks import canary, identity, joint_reads, shares
from tests.attacks.attack import Attack, Target
from tests.attacks.surfaces import SURFACES
from tests.attacks.system import asking_for_tokens, attacked, processes
from tests.system import System

ALL = [(surface, attack) for surface, attacks in SURFACES.items() for attack in attacks]
WITH_TOKENS = [*identity.ATTACKS, *joint_reads.WITH_TOKENS]
QUICK = [pytest.param(attack, id=f"{surface}: {attack.name}") for surface, attack in ALL if not attack.slow]


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with attacked(tmp_path_factory.mktemp("attacked")) as system:
        yield system


@pytest.fixture(scope="module")
def began(target: System) -> dict[str, psutil.Process]:
    """The processes of the system before the attacks."""
    return processes(target)


@pytest.fixture(scope="module")
def theirs() -> Iterator[issuer.Server]:
    """The attacker's own issuer; no process may fetch its keys."""
    with issuer.served() as server:
        yield server


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with issuer.served() as ours, attacked(tmp_path_factory.mktemp("guarded"), **asking_for_tokens(ours.url)) as system:
        yield system


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    settings = shares.SETTINGS
    with (
        issuer.served() as ours,
        attacked(tmp_path_factory.mktemp("shared"), **asking_for_tokens(ours.url), **settings) as system,
    ):
        yield system


def verdict(attack: Attack, system: System) -> str:
    return asyncio.run(attack.play(Target(system.offset)))


@pytest.mark.parametrize("attack", QUICK)
def test_an_attack_meets_its_verdict_and_others_are_still_served(
    attack: Attack, target: System, began: dict[str, psutil.Process]
) -> None:
    assert verdict(attack, target) == attack.expected
    assert canary.ask(8000 + target.offset, None)
    assert processes(target) == began


@pytest.mark.parametrize("attack", WITH_TOKENS, ids=[one.name for one in WITH_TOKENS])
def test_with_tokens_an_attack_meets_its_verdict(attack: Attack, guarded: System) -> None:
    assert verdict(attack, guarded) == attack.expected
    assert canary.ask(8000 + guarded.offset, issuer.mint(*identity.ALL))


@pytest.mark.parametrize("attack", shares.ATTACKS, ids=[one.name for one in shares.ATTACKS])
def test_nobody_escapes_their_share_and_others_keep_theirs(attack: Attack, shared: System) -> None:
    assert verdict(attack, shared) == attack.expected


def test_nobody_asks_for_keys_where_a_token_says_they_are(guarded: System, theirs: issuer.Server) -> None:
    for attack in identity.elsewhere(theirs.url):
        assert verdict(attack, guarded) == attack.expected, attack.name

    assert theirs.asked == 0


def test_there_are_many_attacks_and_no_two_are_alike() -> None:
    names = [f"{surface}: {attack.name}" for surface, attack in ALL] + [
        one.name for one in (*WITH_TOKENS, *shares.ATTACKS)
    ]

    assert len(set(names)) == len(names) >= 200
