"""The version of the whole product. The manifest beside this file says it, as all manifests do."""

import tomllib
from pathlib import Path

VERSION: str = tomllib.loads(Path(__file__).with_name("pyproject.toml").read_text())["project"]["version"]
