import json

from click.testing import CliRunner

from callm.cli.models import models
from callm.wire.providers import PROVIDERS

KEY = "sk-canary-1234"


def test_every_provider_is_listed_with_its_address_and_key_variable():
    output = CliRunner(env={"OPENAI_API_KEY": None, "GROQ_API_KEY": KEY}).invoke(models).output
    lines = {line.split()[0]: line.split() for line in output.splitlines()}
    assert set(PROVIDERS) < set(lines)
    assert lines["openai"] == ["openai", "openai_chat", "missing", "OPENAI_API_KEY", "https://api.openai.com/v1"]
    assert lines["groq"][2] == "set"
    assert lines["ollama"][2] == "optional"
    assert lines["local"][2] == "none"
    assert KEY not in output


def test_an_address_from_the_environment_is_shown_without_its_password():
    env = {"OPENAI_BASE_URL": "https://user:hush@proxy.example:8443/v1", "XAI_BASE_URL": "http://[bad"}
    output = CliRunner(env=env).invoke(models).output
    assert "https://***@proxy.example:8443/v1" in output
    assert "http://[bad" in output
    assert "hush" not in output


def test_as_json_each_provider_is_a_line():
    output = CliRunner(env={"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": None}).invoke(models, ["--json"]).output
    rows = {row["provider"]: row for row in map(json.loads, output.splitlines())}
    assert rows["anthropic"] == {
        "provider": "anthropic",
        "format": "anthropic",
        "base_url": "https://api.anthropic.com",
        "key_variables": list(PROVIDERS["anthropic"].key_env),
        "key": "set",
    }
    assert KEY not in output
