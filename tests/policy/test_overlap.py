"""Joining a text and its continuation: the rule, and that the pieces it comes in do not matter."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callm.policy.overlap import Seam, longest_overlap


def joined(before, *pieces, echo=False):
    seam = Seam(before, echo=echo)
    return "".join([before, *map(seam.feed, pieces), seam.close()])


STORY = "The quick brown fox jumps over the lazy"
ROWS = '[{"name": "Anna", "age": 3}, {"name": "Ben", "age": 4'

JOINTS = [
    (STORY, " dog.", STORY + " dog."),
    (STORY, "jumps over the lazy dog.", STORY + " dog."),
    (STORY, STORY + " dog.", STORY + " dog."),
    (STORY, STORY, STORY),
    (STORY, "", STORY),
    ("", "Everything.", "Everything."),
    (ROWS, '{"name": "Ben", "age": 42}]', ROWS + "2}]"),
    # too short to tell
    (STORY, " the lazy", STORY + " the lazy"),
    ("Ha", "Haha", "HaHaha"),
    ("1, 1, 1", "1, 1", "1, 1, 11, 1"),
    # hardly any letters: the frame of a table or of a document
    ("x\n+----------------+\n", "+----------------+\nx", "x\n+----------------+\n+----------------+\nx"),
    # the text repeats itself, so the model may have gone on doing so
    ("he was really, really", " really, really tired", "he was really, really really, really tired"),
    ('{"zeros": [0.00000, 0.00000', "0.00000, 0.00000]", '{"zeros": [0.00000, 0.000000.00000, 0.00000]'),
    ("| an equal row |\n| an equal row |\n", "| an equal row |\n", "| an equal row |\n" * 3),
    ("Oh what a day it was! Oh what a day it was!", "what a day it was! End", None),
    # a repetition that does not reach the end of the text is none
    (STORY, "The quick brown fox jumps again", STORY + "The quick brown fox jumps again"),
    (STORY, "The quick brown fox jumps", STORY + "The quick brown fox jumps"),
    # white space
    ("A sentence. ", " Another.", "A sentence. Another."),
    ("A sentence.\n\n", "\nAnother.", "A sentence.\n\nAnother."),
    ("A sentence.\n", " Another.", "A sentence.\n Another."),
    ("A sentence.\n", "\n\nAnother.", "A sentence.\n\nAnother."),
    (" \n", " \nWords", " \nWords"),
    (STORY + " \n", "jumps over the lazy \ndog", STORY + " \ndog"),
]


@pytest.mark.parametrize(("before", "after", "expected"), JOINTS)
def test_the_rule(before, after, expected):
    pieces = [joined(before, after), joined(before, *after)]
    pieces += [joined(before, after[:cut], after[cut:]) for cut in range(len(after))]
    assert set(pieces) == {before + after if expected is None else expected}


ECHOES = [
    (STORY, STORY + " dog", STORY + " dog"),
    (STORY + " ", STORY + " dog", STORY + " dog"),
    (STORY, "jumps over the lazy dog", STORY + "jumps over the lazy dog"),
    (STORY, STORY[:30], STORY + STORY[:30]),
    ("Ha", "Haha", "HaHaha"),
]


@pytest.mark.parametrize(("before", "after", "expected"), ECHOES)
def test_of_a_model_that_goes_on_from_its_own_turn_only_an_echo_of_all_is_removed(before, after, expected):
    assert joined(before, after, echo=True) == joined(before, *after, echo=True) == expected


def test_only_what_may_be_a_repetition_is_held_back():
    seam = Seam(STORY)
    assert [seam.feed(piece) for piece in ("jum", "ps over the", " moon", " and")] == [
        "",
        "",
        "jumps over the moon",
        " and",
    ]


TEXT = st.text(alphabet="ab c,\n", max_size=40) | st.text(alphabet='abcdefgh "{}:,\n', max_size=60)


@st.composite
def joints(draw):
    """A text and a continuation that often repeats some of it, in pieces."""
    before = draw(TEXT)
    start = draw(st.integers(0, len(before)))
    after = draw(st.sampled_from(["", before[start:], before[start : start + 9]])) + draw(TEXT)
    cuts = sorted(draw(st.lists(st.integers(0, len(after)), max_size=6)))
    return before, [after[at:end] for at, end in zip([0, *cuts], [*cuts, len(after)], strict=True)]


@given(joints(), st.booleans())
@example((STORY, ["j", "umps over the lazy d", "og"]), False)
def test_any_split_gives_the_same_text(joint, echo):
    before, pieces = joint
    whole = joined(before, "".join(pieces), echo=echo)
    assert joined(before, *pieces, echo=echo) == whole
    assert joined(before, *"".join(pieces), echo=echo) == whole


def naive(before, after, *, echo):
    """Return the joined text by trying all overlaps."""
    prefix = before.rstrip()
    lengths = [len(prefix)] if echo else range(len(after), 0, -1)
    longest = next((after[:length] for length in lengths if prefix.endswith(after[:length])), "")
    if len(longest) < len(prefix) and echo:
        longest = ""
    border = max((size for size in range(len(longest)) if longest[:size] == longest[len(longest) - size :]), default=0)
    letters = [character for character in longest if character.isalnum()]
    elsewhere = longest in prefix[:-1]
    if len(longest) >= 12 and len(letters) >= 8 and 3 * border < len(longest) and not elsewhere:
        after = after[len(longest) :]
    space = before[len(prefix) :]
    same = max(size for size in range(len(space) + 1) if after.startswith(space[:size]))
    return before + after[same:]


@given(joints(), st.booleans())
@example(("abcdefghijklmnop qrst \n", ["ijklmnop qrst", " \n", "and"]), False)
def test_the_rule_is_that_of_trying_all_overlaps(joint, echo):
    before, pieces = joint
    assert joined(before, *pieces, echo=echo) == naive(before, "".join(pieces), echo=echo)


@given(TEXT, TEXT)
def test_the_longest_overlap_is_that_of_trying_all(before, after):
    lengths = [length for length in range(len(after) + 1) if before.endswith(after[:length])]
    assert longest_overlap(before, after) == max(lengths)


def test_a_long_echo_costs_in_proportion_to_its_length():
    before = "".join(f"line {number} of many\n" for number in range(20_000))
    assert joined(before, *[before[at : at + 7] for at in range(0, len(before), 7)], "the end") == before + "the end"
