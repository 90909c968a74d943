"""The official SDK reads the same bytes, and agrees; where ours is stricter or more tolerant, the test says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from callm.errors import APIError
from callm.types import Response
from callm.wire.openai_chat import OpenAIChat
from tests.transcripts import Case, fold, load, read_case
from tests.wire.openai_chat.chunks import TARGET

CASES = load("openai-chat", "dialects", "azure")
GOOD = [case for case in CASES if case.status == 200 and case.expected["error"] is None]
STREAMS = [
    case for case in GOOD if case.stream and "null_index" not in case.name
]  # the SDK's accumulator wants an index
BODIES = [case for case in GOOD if not case.stream]
FAILED = [case for case in CASES if case.status >= 400]
MESSAGES: Any = [{"role": "user", "content": "Hi"}]


def client(case: Case) -> openai.OpenAI:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(case.status, headers=case.headers, content=case.body, request=request)

    transport = httpx2.MockTransport(answer)
    return openai.OpenAI(
        api_key="k",
        base_url="https://api.example.com/v1",
        http_client=httpx2.Client(transport=transport),
        max_retries=0,
    )


def ours(case: Case) -> Response:
    events, error = read_case(OpenAIChat(), case, TARGET)
    assert error is None
    return fold(events)


def tokens(usage: Any) -> tuple[int | None, int | None, int | None, int | None]:
    if usage is None:
        return (None, None, None, None)
    prompt, completion = usage.prompt_tokens_details, usage.completion_tokens_details
    return (
        usage.prompt_tokens,
        usage.completion_tokens,
        prompt.cached_tokens if prompt else None,
        completion.reasoning_tokens if completion else None,
    )


def our_tokens(response: Response) -> tuple[int | None, int | None, int | None, int | None]:
    usage = response.usage
    return (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.reasoning_tokens)


def stream_of(case: Case) -> Iterator[ChatCompletionChunk]:
    with client(case) as sdk, sdk.chat.completions.create(model="m", messages=MESSAGES, stream=True) as chunks:
        yield from chunks


@pytest.mark.parametrize("case", STREAMS, ids=str)
def test_the_sdk_reads_the_same_from_a_stream(case: Case) -> None:
    texts: dict[int, str] = {}
    reasons: dict[int, str | None] = {}
    calls: dict[int, list[str]] = {}
    usage: Any = None
    for chunk in stream_of(case):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            texts[choice.index] = texts.get(choice.index, "") + (choice.delta.content or "")
            reasons[choice.index] = choice.finish_reason or reasons.get(choice.index)
            for call in choice.delta.tool_calls or ():
                entry = calls.setdefault(call.index, ["", "", ""])
                function = call.function
                pieces = (call.id, function.name if function else None, function.arguments if function else None)
                calls[call.index] = [old + (new or "") for old, new in zip(entry, pieces, strict=True)]
    response = ours(case)
    every = {0: response, **response.choices}
    assert {index: choice.text for index, choice in every.items()} == texts
    assert {index: choice.native_finish_reason for index, choice in every.items()} == reasons
    assert [[call.id, call.name, call.arguments] for call in response.tool_calls] == list(calls.values())
    assert our_tokens(response) == tokens(usage)


@pytest.mark.parametrize("case", BODIES, ids=str)
def test_the_sdk_reads_the_same_from_a_body(case: Case) -> None:
    with client(case) as sdk:
        completion: ChatCompletion = sdk.chat.completions.create(model="m", messages=MESSAGES)
    response, [choice] = ours(case), completion.choices
    assert (response.id, response.model) == (completion.id, completion.model)
    assert (response.text, response.native_finish_reason) == (choice.message.content, choice.finish_reason)
    theirs = [
        (call.id, call.function.name, call.function.arguments)
        for call in choice.message.tool_calls or ()
        if call.type == "function"
    ]
    assert [(call.id, call.name, call.arguments) for call in response.tool_calls] == theirs
    assert our_tokens(response) == tokens(completion.usage)


@pytest.mark.parametrize("case", FAILED, ids=str)
def test_the_sdk_sees_the_same_http_error(case: Case) -> None:
    with client(case) as sdk, pytest.raises(openai.APIStatusError) as caught:
        sdk.chat.completions.create(model="m", messages=MESSAGES)
    error = OpenAIChat().error(case.status, case.headers, case.body, TARGET)
    assert (error.status, error.code) == (caught.value.status_code, caught.value.code)
    assert error.message == json.loads(case.body)["error"]["message"]
    assert caught.value.request_id in {error.request_id, None}


STATUSES = {
    400: (openai.BadRequestError, "invalid_request"),
    401: (openai.AuthenticationError, "auth"),
    403: (openai.PermissionDeniedError, "permission"),
    404: (openai.NotFoundError, "not_found"),
    409: (openai.ConflictError, "conflict"),
    422: (openai.UnprocessableEntityError, "invalid_request"),
    429: (openai.RateLimitError, "rate_limit"),
    500: (openai.InternalServerError, "server_error"),
    502: (openai.InternalServerError, "server_error"),
    503: (openai.InternalServerError, "overloaded"),
}


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_has_the_class_that_the_sdk_gives_it(status: int) -> None:
    body = json.dumps({"error": {"message": "no", "type": "t", "code": "c", "param": None}}).encode()
    case = Case("made", body, {}, status, {"content-type": "application/json", "x-request-id": "r"}, (), stream=False)
    theirs, kind = STATUSES[status]
    with client(case) as sdk, pytest.raises(theirs) as caught:
        sdk.chat.completions.create(model="m", messages=MESSAGES)
    error = OpenAIChat().error(status, case.headers, body, TARGET)
    assert (error.kind, error.code, error.request_id) == (kind, caught.value.code, caught.value.request_id)
    assert error.retryable is (status in {409, 429} or status >= 500)


@pytest.mark.parametrize("name", ["openai-chat/error_mid_stream", "dialects/openrouter_error"])
def test_the_sdk_raises_for_the_same_errors_in_a_stream(name: str) -> None:
    case = next(case for case in CASES if case.name == name)
    with pytest.raises(openai.APIError) as caught:
        list(stream_of(case))
    _, error = read_case(OpenAIChat(), case, TARGET)
    assert isinstance(error, APIError)
    assert error.message == caught.value.message


@pytest.mark.parametrize("name", ["openai-chat/truncated", "dialects/deepseek_insufficient"])
def test_the_sdk_does_not_notice_what_we_refuse(name: str) -> None:
    case = next(case for case in CASES if case.name == name)
    assert list(stream_of(case))
    _, error = read_case(OpenAIChat(), case, TARGET)
    assert error is not None
