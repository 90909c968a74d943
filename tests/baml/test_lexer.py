"""Text to tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callm.baml.lexer import tokenize
from callm.baml.source import Problem, Source


def kinds(text):
    problems: list[Problem] = []
    return [(token.kind, token.text) for token in tokenize(Source(text), problems)][:-1], problems


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b-c _d1", [("name", "a"), ("name", "b-c"), ("name", "_d1")]),
        ("5 -12 1.5", [("number", "5"), ("number", "-12"), ("number", "1.5")]),
        ('"a\\n\\"b\\q"', [("string", 'a\n"b\\q')]),
        ('#"raw "x" \\n"#', [("raw", 'raw "x" \\n')]),
        ('##"a "# b"##', [("raw", 'a "# b')]),
        ("{{ this > 0 }}", [("expression", " this > 0 ")]),
        ("@@x @y -> [] ? | <>", [("punctuation", "@@"), ("name", "x"), ("punctuation", "@"), ("name", "y"),
                                ("punctuation", "->"), ("punctuation", "["), ("punctuation", "]"),
                                ("punctuation", "?"), ("punctuation", "|"), ("punctuation", "<"), ("punctuation", ">")]),
        ("a // rest\nb /// doc", [("name", "a"), ("newline", "\n"), ("name", "b")]),
        ("a {// all\n of it //} b", [("name", "a"), ("name", "b")]),
        ("~", [("other", "~")]),
    ],
)  # fmt: skip
def test_text_becomes_tokens(text, expected):
    assert kinds(text) == (expected, [])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('"abc', "this string has no end"),
        ('#"abc', "this raw string has no end"),
        ("{{ a", "this expression has no end"),
        ("{// a", "this comment has no end"),
    ],
)
def test_what_has_no_end_is_a_problem_where_it_begins(text, words):
    _, problems = kinds("x " + text)
    assert [problem.message for problem in problems] == [words]
    assert problems[0].span.start == 2


@given(st.text(alphabet='ab1-.{}()[]<>@|?#"\\/ \n'))
def test_every_text_has_tokens_whose_places_follow_each_other(text):
    tokens = tokenize(Source(text), [])
    assert tokens[-1].kind == "end"
    ends = 0
    for token in tokens:
        assert ends <= token.span.start <= token.span.end <= len(text)
        ends = token.span.end
