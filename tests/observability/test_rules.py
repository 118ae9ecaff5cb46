"""The rules of Prometheus: what promtool says of them, and that an operator finds out what each alert means."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from deploy.local import ROOT

FOLDER = ROOT / "deploy" / "observability"
UNIT_TESTS = Path(__file__).with_name("rules_test.yaml")
RULES = cast("dict[str, Any]", yaml.safe_load((FOLDER / "rules.yaml").read_text()))
ALERTS = [rule for group in RULES["groups"] for rule in group["rules"] if "alert" in rule]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()

each_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda rule: rule["alert"])
with_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="needs Prometheus' promtool")


def promtool(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120)


@with_promtool
def test_prometheus_accepts_its_configuration_and_its_rules() -> None:
    checked = promtool("check", "config", FOLDER / "prometheus.yaml")

    assert checked.returncode == 0, checked.stdout + checked.stderr


@with_promtool
def test_each_alert_fires_when_it_must_and_not_before() -> None:
    tested = promtool("test", "rules", UNIT_TESTS)

    assert tested.returncode == 0, tested.stdout + tested.stderr


@each_alert
def test_an_alert_is_made_to_fire_and_kept_from_firing_by_a_unit_test(alert: dict[str, Any]) -> None:
    cases = [case for test in yaml.safe_load(UNIT_TESTS.read_text())["tests"] for case in test["alert_rule_test"]]
    fired = {bool(case["exp_alerts"]) for case in cases if case["alertname"] == alert["alert"]}

    assert fired == {True, False}


@each_alert
def test_an_alert_has_a_page_that_says_what_to_do(alert: dict[str, Any]) -> None:
    page, _, anchor = alert["annotations"]["runbook"].partition("#")

    assert page == "docs/operations.md"
    assert anchor == alert["alert"].lower()
    assert f"\n### {alert['alert']}\n" in OPERATIONS


def test_the_pages_of_alerts_are_those_of_alerts_that_exist() -> None:
    part = OPERATIONS.partition("\n## Alerts\n")[2].partition("\n## ")[0]

    assert re.findall(r"^### (\w+)$", part, re.M) == [alert["alert"] for alert in ALERTS]
