"""The files of the profile `observability` fit together. Prometheus' own are checked by Prometheus. The programs of the
others cannot be had here, so this is all that is checked of them."""

from __future__ import annotations

import json
import re
from typing import Any, cast

import yaml

from chassis.observe.traces import PARTIAL
from deploy.boards import SOURCE, boards
from deploy.local import ROOT

FOLDER = ROOT / "deploy" / "observability"
CONTAINERS = cast("dict[str, Any]", yaml.safe_load((ROOT / "compose.yaml").read_text())["services"])
PORTS = {"prometheus": 9090, "tempo": 3200, "loki": 3100}


def read(name: str) -> dict[str, Any]:
    return yaml.safe_load((FOLDER / name).read_text())


def test_the_collector_keeps_failed_slow_and_partial_traces_and_some_of_the_others() -> None:
    collector = read("collector.yaml")
    [pipeline] = collector["service"]["pipelines"].values()
    kept = {policy["type"]: policy for policy in collector["processors"]["tail_sampling"]["policies"]}

    for kind in ("receivers", "processors", "exporters"):
        assert set(pipeline[kind]) == set(collector[kind])
    assert pipeline["processors"][0] == "memory_limiter"
    assert kept["status_code"]["status_code"] == {"status_codes": ["ERROR"]}
    assert kept["latency"]["latency"] == {"threshold_ms": 1000}
    assert kept["boolean_attribute"]["boolean_attribute"] == {"key": PARTIAL, "value": True}
    assert "probabilistic" in kept


def test_every_address_in_the_files_is_that_of_a_container_where_it_listens() -> None:
    texts = [path.read_text() for path in FOLDER.rglob("*") if path.suffix in (".yaml", ".alloy")]
    named = {found for text in texts for found in re.findall(r"http://(\w+):(\d+)", text)}

    assert named == {(name, str(port)) for name, port in PORTS.items()}
    assert read("collector.yaml")["exporters"]["otlp"]["endpoint"] == "tempo:4317"
    assert read("tempo.yaml")["distributor"]["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"].endswith(":4317")
    assert read("tempo.yaml")["server"]["http_listen_port"] == PORTS["tempo"]
    assert read("loki.yaml")["server"]["http_listen_port"] == PORTS["loki"]
    assert PORTS.keys() <= CONTAINERS.keys()


def test_grafana_knows_every_source_that_boards_and_links_name() -> None:
    text = (FOLDER / "grafana" / "datasources" / "all.yaml").read_text()
    known = {source["uid"] for source in yaml.safe_load(text)["datasources"]}

    assert {SOURCE["uid"], *re.findall(r"datasourceUid: (\w+)", text)} <= known
    assert all(json.loads(board)["panels"] for board in boards().values())


def test_what_belongs_to_one_request_is_no_label_of_a_log_line() -> None:
    """Loki makes a stream of each set of labels, so that a label with any number of values would end it."""
    text = (FOLDER / "logs.alloy").read_text()
    [labels] = re.findall(r"stage\.labels \{\s+values = \{([^}]*)\}", text)
    [metadata] = re.findall(r"stage\.structured_metadata \{\s+values = \{([^}]*)\}", text)

    assert re.findall(r"\w+", labels) == ["level"]
    assert {"trace_id", "span_id"} <= set(re.findall(r"\w+", metadata))
