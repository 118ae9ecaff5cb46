"""The pages as HTTP has them: which paths lead to them, what they may do, and how their files come."""

from __future__ import annotations

import re

import httpx2
import pytest

from tests.deploy.processes import WAIT_SECONDS


def get(url: str, encodings: str = "gzip") -> httpx2.Response:
    return httpx2.get(url, headers={"Accept-Encoding": encodings}, timeout=WAIT_SECONDS)


@pytest.mark.parametrize("path", ["/painel", "/painel/", "/painel/solicitacoes/17", "/painel/nada"])
def test_every_path_of_the_painel_leads_to_its_page(gateway_url: str, path: str) -> None:
    answer = get(f"{gateway_url}{path}")

    assert answer.status_code == 200
    assert "<title>Painel de solicitações</title>" in answer.text


def test_the_painel_may_run_only_scripts_of_its_own_and_ask_only_its_own_origin(gateway_url: str) -> None:
    answer = get(f"{gateway_url}/painel")

    policy = dict(one.strip().split(" ", 1) for one in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in str(policy)
    assert "data-auth" not in answer.text


def test_files_come_compressed_to_who_takes_that_and_may_be_kept_for_ever(gateway_url: str) -> None:
    [script] = re.findall(r'src="(/playground/assets/painel-[^"]+\.js)"', get(f"{gateway_url}/painel").text)

    plain = get(f"{gateway_url}{script}", "identity")
    packed = get(f"{gateway_url}{script}", "br, gzip;q=0.5")
    refused = get(f"{gateway_url}{script}", "gzip;q=0")

    assert ("Content-Encoding" in plain.headers, "Content-Encoding" in refused.headers) == (False, False)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert int(packed.headers["Content-Length"]) < int(plain.headers["Content-Length"]) / 2
    assert packed.text == plain.text == refused.text
    for answer in (plain, packed):
        assert answer.headers["Content-Type"].startswith("text/javascript")
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert "immutable" in answer.headers["Cache-Control"]


def test_a_file_that_does_not_exist_is_not_found(gateway_url: str) -> None:
    assert get(f"{gateway_url}/playground/assets/none.js").status_code == 404
