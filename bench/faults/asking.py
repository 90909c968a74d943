"""How each peer is asked, with its default retries and every waiting time it lets one set at `TIMEOUT` seconds.

A class has a method for each mode that the peer can do: `call`, `stream`, `typed`, `grow` (a typed stream). Each returns what its
user would take for the answer. A peer imports its library when it is opened: this file is imported without any.
"""

# ruff: noqa: PLC0415  # see above
# mypy: disable-error-code=import-not-found

from __future__ import annotations

import asyncio
from typing import Any, Final

TIMEOUT: Final = 3.0
MODEL: Final = "gpt-x"
PROMPT: Final = "Who wrote the first program? Answer in JSON: name, city, age."

_MESSAGES: Final[Any] = [{"role": "user", "content": PROMPT}]


class Callm:
    """callm's client, in OpenAI's format."""

    own = ("callm",)
    timeout = "`Timeouts(connect=3, first_content=3, between_content=3)`"

    def __init__(self, url: str) -> None:
        """Open the client."""
        self._open("openai", f"{url}/v1")

    def _open(self, provider: str, base_url: str) -> None:
        import callm
        from bench.faults.person import Person

        timeouts = callm.Timeouts(connect=TIMEOUT, first_content=TIMEOUT, between_content=TIMEOUT)
        options = callm.CallOptions(timeouts=timeouts)
        self._client = callm.Client(f"{provider}/{MODEL}", base_url=base_url, api_key="x", options=options)
        self._delta = callm.TextDelta

        def extract(question: str) -> Person:
            """{{ question }}"""  # noqa: D415  # it is the prompt
            raise NotImplementedError

        extract.__annotations__ = {"question": str, "return": Person}
        self._extract: Any = callm.function(client=self._client)(extract)

    def call(self) -> Any:
        """Take the text of a call."""
        return self._client.call(PROMPT).result().text

    def stream(self) -> Any:
        """Join the deltas."""
        return "".join(event.text for event in self._client.stream(PROMPT) if isinstance(event, self._delta))

    def typed(self) -> Any:
        """Call a declared function."""
        return self._extract(PROMPT)

    def grow(self) -> Any:
        """Take the last value of a declared function."""
        with self._extract.stream(PROMPT) as stream:
            for _ in stream:
                pass
        return stream.result


class CallmAnthropic(Callm):
    """callm's client, in Anthropic's format."""

    def __init__(self, url: str) -> None:
        """Open the client."""
        self._open("anthropic", url)


class OpenAI:
    """openai-python; a stream is read raw (`create(stream=True)`)."""

    own = ("openai",)
    timeout = "`OpenAI(timeout=3)`"

    def __init__(self, url: str) -> None:
        """Open the client."""
        import openai

        self._completions: Any = openai.OpenAI(base_url=f"{url}/v1", api_key="x", timeout=TIMEOUT).chat.completions

    def call(self) -> Any:
        """Take the text of a call."""
        return self._completions.create(model=MODEL, messages=_MESSAGES).choices[0].message.content

    def stream(self) -> Any:
        """Join the deltas."""
        return _joined(self._completions.create(model=MODEL, messages=_MESSAGES, stream=True))

    def typed(self) -> Any:
        """Take what `parse` read."""
        from bench.faults.person import Person

        answer = self._completions.parse(model=MODEL, messages=_MESSAGES, response_format=Person)
        return answer.choices[0].message.parsed


class OpenAIHelper(OpenAI):
    """openai-python; a stream is read by its helper (`chat.completions.stream`)."""

    call = typed = None  # type: ignore[assignment]  # the same as without the helper

    def stream(self) -> Any:
        """Take the final completion's text."""
        with self._completions.stream(model=MODEL, messages=_MESSAGES) as stream:
            return stream.get_final_completion().choices[0].message.content

    def grow(self) -> Any:
        """Take the final completion's value."""
        from bench.faults.person import Person

        with self._completions.stream(model=MODEL, messages=_MESSAGES, response_format=Person) as stream:
            return stream.get_final_completion().choices[0].message.parsed


class Anthropic:
    """anthropic; a stream is read raw (`create(stream=True)`)."""

    own = ("anthropic",)
    timeout = "`Anthropic(timeout=3)`"

    def __init__(self, url: str) -> None:
        """Open the client."""
        import anthropic

        self._messages: Any = anthropic.Anthropic(base_url=url, api_key="x", timeout=TIMEOUT).messages
        self._request = {"model": MODEL, "max_tokens": 1024, "messages": _MESSAGES}

    def call(self) -> Any:
        """Take the text of a call."""
        return self._messages.create(**self._request).content[0].text

    def stream(self) -> Any:
        """Join the deltas."""
        events = self._messages.create(**self._request, stream=True)
        return "".join(event.delta.text for event in events if event.type == "content_block_delta")

    def typed(self) -> Any:
        """Take what `parse` read."""
        from bench.faults.person import Person

        return self._messages.parse(**self._request, output_format=Person).parsed_output


class AnthropicHelper(Anthropic):
    """anthropic; a stream is read by its helper (`messages.stream`)."""

    call = typed = None  # type: ignore[assignment]  # the same as without the helper

    def stream(self) -> Any:
        """Take the final text."""
        with self._messages.stream(**self._request) as stream:
            return stream.get_final_text()

    def grow(self) -> Any:
        """Take the final message's value."""
        from bench.faults.person import Person

        with self._messages.stream(**self._request, output_format=Person) as stream:
            return stream.get_final_message().parsed_output


class LiteLLM:
    """litellm's `completion`, its OpenAI-compatible path. It returns no typed values."""

    own = ("litellm", "openai")
    timeout = "`completion(timeout=3, stream_timeout=3)`"

    def __init__(self, url: str) -> None:
        """Keep the address; there is no client object."""
        import litellm

        self._ask: Any = litellm.completion
        self._request = {
            "model": f"openai/{MODEL}",
            "messages": _MESSAGES,
            "api_base": f"{url}/v1",
            "api_key": "x",
            "timeout": TIMEOUT,
            "stream_timeout": TIMEOUT,
        }

    def call(self) -> Any:
        """Take the text of a call."""
        return self._ask(**self._request).choices[0].message.content

    def stream(self) -> Any:
        """Join the deltas."""
        return _joined(self._ask(**self._request, stream=True))


_PROJECT: Final = """
client<llm> Mock {{
  provider openai-generic
  options {{
    model "{model}"
    api_key "x"
    base_url "{url}/v1"
    {options}
    http {{
      connect_timeout_ms 3000
      {timeouts}
    }}
  }}
}}
function Say(question: string) -> string {{
  client Mock
  prompt #"{{{{ _.role("user") }}}}{{{{ question }}}}"#
}}
function Extract(question: string) -> Person {{
  client Mock
  prompt #"{{{{ _.role("user") }}}}{{{{ question }}}}{{{{ ctx.output_format }}}}"#
}}
"""
_WHOLE: Final = "request_timeout_ms 3000"
_PIECES: Final = "time_to_first_token_timeout_ms 3000\n      idle_timeout_ms 3000"


class BAML:
    """baml-py, a project made at run time; its client has no retry policy unless one is written."""

    own = ("baml_py",)
    options = ""
    timeout = "`http { request_timeout_ms 3000 }`; of a stream `time_to_first_token_timeout_ms`, `idle_timeout_ms`"

    def __init__(self, url: str) -> None:
        """Keep the address."""
        self._url = url

    def call(self) -> Any:
        """Call the function of text."""
        return self._call("Say")

    def stream(self) -> Any:
        """Take the final text of a stream."""
        return self._stream("Say")

    def typed(self) -> Any:
        """Call the function of a person."""
        return self._call("Extract")

    def grow(self) -> Any:
        """Take the final person of a stream."""
        return self._stream("Extract")

    def _runtime(self, timeouts: str) -> Any:
        import baml_py

        from bench.faults import person

        project = _PROJECT.format(model=MODEL, url=self._url, options=self.options, timeouts=timeouts) + person.BAML
        return baml_py.BamlRuntime.from_files("baml_src", {"main.baml": project}, {})

    def _call(self, function: str) -> Any:
        runtime = self._runtime(_WHOLE)
        context, arguments = runtime.create_context_manager(), {"question": PROMPT}
        return _cast(runtime, runtime.call_function_sync(function, arguments, context, None, None, [], {}, {}))

    def _stream(self, function: str) -> Any:
        import baml_py

        runtime = self._runtime(_PIECES)
        context, arguments = runtime.create_context_manager(), {"question": PROMPT}
        inner = runtime.stream_function_sync(function, arguments, None, context, None, None, [], {}, {})
        stream: Any = baml_py.BamlSyncStream(
            inner, lambda result: result, lambda result: _cast(runtime, result), context
        )
        for _ in stream:
            pass
        return stream.get_final_response()


class BAMLStrict(BAML):
    """baml-py, told which finish reasons to accept."""

    options = 'finish_reason_allow_list ["stop"]'
    call = None  # type: ignore[assignment]  # of interest where an answer is cut


class Instructor:
    """instructor over openai-python, in its mode for JSON schemas. It has no calls but typed ones."""

    own = ("instructor", "openai")
    timeout = "`OpenAI(timeout=3)` beneath it"

    def __init__(self, url: str) -> None:
        """Open the client."""
        import instructor
        import openai

        inner = openai.OpenAI(base_url=f"{url}/v1", api_key="x", timeout=TIMEOUT)
        self._completions: Any = instructor.from_openai(inner, mode=instructor.Mode.JSON_SCHEMA).chat.completions

    def typed(self) -> Any:
        """Take the value."""
        from bench.faults.person import Person

        return self._completions.create(model=MODEL, messages=_MESSAGES, response_model=Person)

    def grow(self) -> Any:
        """Take the last partial value."""
        from bench.faults.person import Person

        create = self._completions.create_partial
        return list(create(model=MODEL, messages=_MESSAGES, response_model=Person))[-1]


class PydanticAI:
    """pydantic-ai's agents over its OpenAI model, with native structured output."""

    own = ("pydantic_ai",)
    timeout = "`ModelSettings(timeout=3)`"

    def __init__(self, url: str) -> None:
        """Make the agents."""
        from pydantic_ai import Agent, ModelSettings, NativeOutput
        from pydantic_ai.models.openai import OpenAIChatModel
        from pydantic_ai.providers.openai import OpenAIProvider

        from bench.faults.person import Person

        model = OpenAIChatModel(MODEL, provider=OpenAIProvider(base_url=f"{url}/v1", api_key="x"))
        settings = ModelSettings(timeout=TIMEOUT)
        self._agent: Any = Agent(model, model_settings=settings)
        self._typed: Any = Agent(model, model_settings=settings, output_type=NativeOutput(Person))

    def call(self) -> Any:
        """Run the agent."""
        return self._agent.run_sync(PROMPT).output

    def stream(self) -> Any:
        """Take the output of a stream."""
        return asyncio.run(_output(self._agent))

    def typed(self) -> Any:
        """Run the typed agent."""
        return self._typed.run_sync(PROMPT).output

    def grow(self) -> Any:
        """Take the output of a typed stream."""
        return asyncio.run(_output(self._typed))


PEERS: Final[dict[str, Any]] = {
    "callm": Callm,
    "callm:anthropic": CallmAnthropic,
    "openai": OpenAI,
    "openai:helper": OpenAIHelper,
    "anthropic": Anthropic,
    "anthropic:helper": AnthropicHelper,
    "litellm": LiteLLM,
    "baml-py": BAML,
    "baml-py:strict": BAMLStrict,
    "instructor": Instructor,
    "pydantic-ai": PydanticAI,
}
"""Who is asked: the name in `peers.toml`, and a way to use it behind the colon."""


def _joined(chunks: Any) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def _cast(runtime: Any, result: Any) -> Any:
    from bench.faults import person

    return result.cast_to(person, person, person, False, runtime)  # noqa: FBT003  # not our function


async def _output(agent: Any) -> Any:
    async with agent.run_stream(PROMPT) as result:
        return await result.get_output()
