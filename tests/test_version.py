"""The version is said once."""

import tomllib
from pathlib import Path

import callm
from callm.version import __version__


def test_the_version_is_that_of_the_distribution():
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
    assert project["version"] == __version__ == callm.__version__
