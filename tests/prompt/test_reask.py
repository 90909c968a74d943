"""What a model is told whose answer was not of the declared type."""

from callm.errors import OutputError
from callm.prompt.reask import reask
from callm.types import Message, Request

ASKED = Request((Message.system("Be brief."), Message.user("How many?")), model="openai/x")


def test_the_answer_and_its_problems_are_added_as_turns():
    again = reask(ASKED, "many", OutputError("no", problems=["expected int, got 'many'", "b: missing"]))
    assert again.messages[:3] == (*ASKED.messages, Message.assistant("many"))
    assert again.messages[3].role == "user"
    assert "- expected int, got 'many'\n- b: missing" in again.messages[3].text
    assert again.model == "openai/x"


def test_without_problems_the_message_says_what_was_wrong():
    assert "- not a number" in reask(ASKED, "many", OutputError("not a number")).messages[-1].text


def test_only_the_first_problems_are_told():
    error = OutputError("no", problems=[f"problem {number}" for number in range(1000)])
    assert len(reask(ASKED, "many", error).messages[-1].text) < 500


def test_an_empty_answer_makes_no_turn_because_providers_refuse_one():
    assert [message.role for message in reask(ASKED, "", OutputError("no")).messages] == ["system", "user", "user"]
