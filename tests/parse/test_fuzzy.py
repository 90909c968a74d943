"""Which name does a text mean?"""

from typing import Any

import pytest

from callm.parse.fuzzy import Match, Name, Tie, find, same_key


def names(*texts):
    return tuple(Name(text, (text,)) for text in texts)


@pytest.mark.parametrize(
    ("text", "options", "name"),
    [
        ("SAD", ("SAD", "HAPPY"), "SAD"),
        (" SAD. ", ("SAD", "HAPPY"), "SAD"),
        ("sad", ("SAD", "HAPPY"), "SAD"),
        ("SADNESS", ("SAD", "HAPPY"), "SAD"),
        ("it is sad, so SAD", ("SAD", "HAPPY"), "SAD"),
        ("SAD SO_SO SAD", ("SAD", "SO_SO"), "SAD"),
        ("AB", ("A", "AB"), "AB"),
        ("koln", ("Köln",), "Köln"),
        ("Strasse", ("Straße",), "Straße"),
    ],
)
def test_a_text_means_a_name(text, options, name):
    match = find(text, names(*options))
    assert isinstance(match, Match)
    assert match.name == name


@pytest.mark.parametrize("text", ["SAD or SO_SO", "A AB"])
def test_equal_counts_are_a_tie(text):
    tie = find(text, names("SAD", "SO_SO", "A", "AB") if "SAD" in text else names("A", "AB"))
    assert isinstance(tie, Tie)
    assert "(1 times)" in str(tie)


@pytest.mark.parametrize("text", ["", "joy", "SO SO", "so-so"])
def test_other_texts_mean_nothing(text):
    assert find(text, names("SAD", "SO_SO"), substrings=False) is None


def match(text, *options) -> Any:
    return find(text, names(*options))


def test_the_story_of_a_match_is_kept():
    assert match("SAD", "SAD") == Match("SAD")
    assert match("sad.", "SAD").stripped
    assert match("so SAD", "SAD").substring


@pytest.mark.parametrize(
    ("key", "name", "same"),
    [
        ("x", "x", True),
        (" X ", "x", True),
        ("SNAKE_CASE", "snake_case", True),
        ("camelCase?", "camelCase", True),
        ("snake-case", "snake_case", False),
        ("snakeCase", "snake_case", False),
        ("xy", "x", False),
    ],
)
def test_keys_mean_fields_whatever_their_case_and_punctuation(key, name, same):
    assert same_key(key, name) is same
