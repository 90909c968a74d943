from importlib.metadata import version as installed

from click.testing import CliRunner

from callm.cli.version import version


def test_the_version_is_that_of_the_package():
    assert CliRunner().invoke(version).output == f"callm {installed('callm')}\n"
