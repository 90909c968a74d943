import json
import threading
import time
import urllib.error
import urllib.request
from typing import Any

import pytest

from callm.testing import Answer, Fault, FaultServer


def _post(url: str, *, stream: bool = False, path: str = "/v1/chat/completions", **headers: str) -> tuple[int, bytes]:
    body = json.dumps({"model": "m", "stream": stream, "messages": [{"role": "user", "content": "hello"}]}).encode()
    own = {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    request = urllib.request.Request(url + path, body, own)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=5) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def _text(body: bytes) -> Any:
    return json.loads(body)["choices"][0]["message"]["content"]


def test_it_answers_any_client_in_both_formats() -> None:
    with FaultServer(Answer(text="hi")) as server:
        assert _text(_post(server.url)[1]) == "hi"
        status, body = _post(server.url, path="/v1/messages")
        assert (status, json.loads(body)["content"]) == (200, [{"type": "text", "text": "hi"}])
        assert _post(server.url, stream=True)[1].endswith(b"data: [DONE]\n\n")
        assert b"event: message_stop" in _post(server.url, path="/v1/messages", stream=True)[1]


def test_what_is_planned_comes_first_and_once(fault_server: FaultServer) -> None:
    fault_server.plan(Fault(status=500), Fault(answer=Answer(text="second")))
    fault_server.always(Fault(answer=Answer(text="always")))
    assert _post(fault_server.url)[0] == 500
    assert [_text(_post(fault_server.url)[1]) for _ in range(3)] == ["second", "always", "always"]


def test_a_request_can_bring_its_fault_in_a_header(fault_server: FaultServer) -> None:
    fault_server.plan(Fault(status=500))
    assert _post(fault_server.url, x_fault='{"status": 418, "body": "teapot"}') == (418, b"teapot")
    assert _post(fault_server.url, x_fault="rate_limit")[0] == 429
    assert _post(fault_server.url)[0] == 500


def test_a_request_can_bring_its_fault_in_the_path(fault_server: FaultServer) -> None:
    assert _post(fault_server.url, path="/fault/overloaded/v1/messages")[0] == 529
    assert _post(fault_server.url, path="/fault/%7B%22body%22%3A%22a%2Fb%22%7D/v1/chat/completions") == (200, b"a/b")
    assert fault_server.requests[1].path == "/v1/chat/completions"


def test_a_wrong_fault_says_what_is_wrong(fault_server: FaultServer) -> None:
    status, body = _post(fault_server.url, x_fault="nonsense")
    assert status == 400
    assert "no fault is called 'nonsense'" in json.loads(body)["error"]["message"]


def test_an_unknown_path_is_not_found_unless_the_fault_has_a_body(fault_server: FaultServer) -> None:
    assert _post(fault_server.url, path="/v1/other")[0] == 404
    fault_server.plan(Fault(body="found"), Fault(status=503))
    assert _post(fault_server.url, path="/v1/other") == (200, b"found")
    assert _post(fault_server.url, path="/v1/other")[0] == 503


def test_requests_are_kept_until_cleared(fault_server: FaultServer) -> None:
    _post(fault_server.url, stream=True)
    fault_server.always(Fault(status=500))
    request = fault_server.requests[0]
    assert (request.method, request.connection, request.json["model"], request.finished) == ("POST", 1, "m", True)
    assert request.headers["content-type"] == "application/json"
    fault_server.clear()
    assert (fault_server.requests, fault_server.connections) == ([], 0)
    assert _post(fault_server.url)[0] == 200


def test_a_hundred_servers_start_and_stop_in_a_moment() -> None:
    started, threads = time.monotonic(), threading.active_count()
    for _ in range(100):
        with FaultServer() as server:
            assert server.url.startswith("http://127.0.0.1:")
    assert time.monotonic() - started < 5
    assert threading.active_count() == threads


def test_stopping_ends_what_is_being_answered_and_stopping_twice_is_nothing() -> None:
    server = FaultServer()
    server.stop()
    server.start()
    server.always(Fault(at=-1, then="stall"))
    failed: list[str] = []

    def call() -> None:
        with pytest.raises(OSError, match=r"closed|reset") as caught:
            _post(server.url)
        failed.append(str(caught.value))

    thread = threading.Thread(target=call)
    thread.start()
    while not server.requests:
        time.sleep(0.001)
    server.stop()
    server.stop()
    thread.join(5)
    assert len(failed) == 1


def test_a_port_can_be_chosen() -> None:
    with FaultServer() as first:
        port = int(first.url.rpartition(":")[2])
    with FaultServer(port=port) as second:
        assert second.url == first.url
