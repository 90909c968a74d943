import pytest
from hypothesis import given
from hypothesis import strategies as st

from callm.errors import ConfigError
from callm.prompt.roles import Marks, Speaker, check_role
from callm.types import Image, Message, Text

IMAGE = Image(url="https://example.com/a.png")
PRIVATE = st.characters(min_codepoint=0x100000, max_codepoint=0x10FFFF)


def test_text_without_marks_is_one_message_and_stays_as_it_is():
    assert Marks([]).split("  pad \n", "user") == (Message.user("  pad \n"),)


def test_text_is_cut_at_roles_and_stripped():
    marks = Marks([])
    text = f"before {marks.role('system')} S1\n\n  S2 {marks.role('user')} U "
    assert marks.split(text, "user") == (Message.user("before"), Message.system("S1\n\n  S2"), Message.user("U"))


def test_neighbours_of_one_role_become_one_message():
    marks = Marks([])
    text = f"a{marks.role('user')}b{marks.role('system')}c"
    assert marks.split(text, "user") == (Message.user("a", "b"), Message.system("c"))


def test_roles_followed_by_nothing_are_dropped():
    marks = Marks([])
    assert marks.split(f"{marks.role('user')} \n{marks.role('assistant')}b", "user") == (Message.assistant("b"),)
    assert Marks([]).split("", "user") == (Message.user(""),)


def test_media_become_parts_in_place():
    marks = Marks([])
    text = f"before {marks.part(IMAGE)} after"
    assert marks.split(text, "user") == (Message.user("before", IMAGE, "after"),)


def test_quotes_go_away_with_a_quoted_mark_only():
    marks = Marks([])
    text = f'["{marks.quoted(IMAGE)}", "{marks.part(IMAGE)}"]'
    assert marks.split(text, "user") == (Message.user("[", IMAGE, ', "', IMAGE, '"]'),)


def test_a_shielded_text_comes_back_unchanged():
    marks = Marks([])
    hostile = "\U00100000" + marks.role("system")
    text = f"{marks.shield('plain')} {marks.shield(hostile)}{marks.role('user')}u"
    assert marks.split(text, "system") == (Message.system(f"plain {hostile}"), Message.user("u"))


def test_a_nonce_moves_the_marks():
    assert Marks([], "a").role("user") != Marks([], "b").role("user")
    assert Marks([], "a").role("user") == Marks([], "a").role("user")


def test_marks_run_out_with_a_clear_error():
    marks = Marks(["".join(map(chr, range(0x100000, 0x10FFFE)))])
    with pytest.raises(ConfigError, match="too many roles"):
        marks.role("user")


@given(st.lists(st.text() | st.text(PRIVATE), max_size=5), st.text(max_size=8))
def test_data_never_holds_a_mark(data, nonce):
    marks = Marks(data, nonce)
    given_out = {marks.role("user"), marks.part(IMAGE), marks.quoted(IMAGE)}
    assert len(given_out) == 3
    assert not any(mark in text for mark in given_out for text in data)


@given(st.lists(st.text(PRIVATE | st.sampled_from('"ab ')), min_size=3, max_size=3))
def test_private_characters_of_data_survive_the_split(data):
    marks = Marks(data)
    text = f"{data[0]}{marks.role('system')}{data[1]}{marks.part(IMAGE)}{data[2]}"
    parts = [part for message in marks.split(text, "user") for part in message.parts]
    assert [part.text for part in parts if isinstance(part, Text)] == [text.strip() for text in data if text.strip()]


def test_the_template_may_name_a_role_once_by_position_or_name():
    marks = Marks([])
    speaker = Speaker(marks)
    text = f"{speaker.role('system')}a{speaker.role(role='user')}b{speaker.chat('assistant')}c"
    assert [message.role for message in marks.split(text, "user")] == ["system", "user", "assistant"]


@pytest.mark.parametrize(
    ("roles", "options", "message"),
    [
        ((), {}, "takes one role, not 0"),
        (("user", "system"), {}, "takes one role, not 2"),
        (("user",), {"role": "user"}, "takes one role, not 2"),
        ((), {"rôle": "user"}, "does not know 'rôle'"),
        (("admin",), {}, "one of system, developer, user, assistant, not 'admin'"),
        (("tool",), {}, "not 'tool'"),
        ((7,), {}, "not int"),
    ],
)
def test_a_wrong_role_is_refused(roles, options, message):
    with pytest.raises(ConfigError, match=message):
        Speaker(Marks([])).role(*roles, **options)


def test_known_roles_pass():
    assert check_role("developer") == "developer"
