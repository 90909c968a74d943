import json
import socket
import time

import pytest

from callm.testing import Fault, FaultServer

BODY = b'{"model":"m","messages":[{"role":"user","content":"hello"}]}'
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n" % len(BODY)


def _connect(server: FaultServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=5)


def _all(connection: socket.socket) -> bytes:
    received = b""
    while data := connection.recv(65536):
        received += data
    return received


def _one(connection: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)
    assert len(body) == length
    return body


def test_requests_one_behind_the_other_are_answered_in_order(fault_server: FaultServer) -> None:
    fault_server.plan(Fault(body="1"), Fault(body="2", delay=0.01), Fault(body="3"))
    with _connect(fault_server) as connection:
        connection.sendall((HEAD + b"\r\n" + BODY) * 2 + HEAD + b"connection: close\r\n\r\n" + BODY)
        answers = _all(connection).split(b"HTTP/1.1 200 OK\r\n")[1:]
    assert [answer[-1:] for answer in answers] == [b"1", b"2", b"3"]


def test_a_request_that_comes_byte_by_byte_is_put_together(fault_server: FaultServer) -> None:
    with _connect(fault_server) as connection:
        for byte in HEAD + b"\r\n" + BODY:
            connection.sendall(bytes([byte]))
        assert json.loads(_one(connection))["model"] == "m"
    assert fault_server.requests[0].body == BODY


def test_a_chunked_request_is_understood(fault_server: FaultServer) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    with _connect(fault_server) as connection:
        connection.sendall(head + b"%x;ext=1\r\n%b\r\n" % (10, BODY[:10]))
        time.sleep(0.01)
        connection.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY) - 10, BODY[10:]))
        assert json.loads(_one(connection))["model"] == "m"
    assert fault_server.requests[0].body == BODY


def test_a_client_that_asks_before_it_sends_is_told_to_go_on(fault_server: FaultServer) -> None:
    with _connect(fault_server) as connection:
        connection.sendall(HEAD + b"expect: 100-continue\r\n\r\n")
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(BODY)
        assert json.loads(_one(connection))["model"] == "m"


def _reply(server: FaultServer) -> bytes:
    with _connect(server) as connection:
        connection.sendall(HEAD + b"\r\n" + BODY)
        return _all(connection)


def test_a_cut_ends_the_connection_at_the_byte(fault_server: FaultServer) -> None:
    fault_server.plan(Fault(body="0123456789", at=4))
    head, _, body = _reply(fault_server).partition(b"\r\n\r\n")
    assert b"content-length: 10" in head
    assert body == b"0123"


def test_a_reset_is_a_reset(fault_server: FaultServer) -> None:
    fault_server.plan(Fault(body="0123456789", at=4, then="reset"), Fault(at=-1, then="reset"))
    for _ in range(2):
        with pytest.raises(ConnectionResetError):
            _reply(fault_server)


def test_a_cut_before_the_head_sends_nothing(fault_server: FaultServer) -> None:
    fault_server.plan(Fault(at=-1))
    assert _reply(fault_server) == b""


def test_raw_bytes_are_all_there_is(fault_server: FaultServer) -> None:
    fault_server.plan(Fault(raw=b"\x00\xff"))
    assert _reply(fault_server) == b"\x00\xff"


def test_a_stall_goes_on_after_its_time(fault_server: FaultServer) -> None:
    fault_server.plan(Fault(body="0123456789", at=4, then="stall", seconds=0.05, framing="close"))
    started = time.monotonic()
    assert _reply(fault_server).endswith(b"\r\n\r\n0123456789")
    assert time.monotonic() - started > 0.045


def test_a_delay_comes_before_the_head(fault_server: FaultServer) -> None:
    fault_server.plan(Fault(body="late", delay=0.05, framing="close"))
    started = time.monotonic()
    assert _reply(fault_server).endswith(b"late")
    assert time.monotonic() - started > 0.045


def test_pings_go_on_until_the_client_leaves(fault_server: FaultServer) -> None:
    fault_server.plan(Fault(pings=0.001))
    with _connect(fault_server) as connection:
        connection.sendall(HEAD + b"\r\n" + BODY)
        received = b""
        while received.count(b": ping\n\n") < 5:
            received += connection.recv(65536)
    assert b"data:" not in received
    fault_server.requests[0].wait_closed()


def test_a_pause_lies_between_the_writes(fault_server: FaultServer) -> None:
    fault_server.plan(Fault(body="abc", size=1, pause=0.01))
    with _connect(fault_server) as connection:
        connection.sendall(HEAD + b"connection: close\r\n\r\n" + BODY)
        reads = [connection.recv(65536) for _ in range(4)]
    assert [piece[:4] for piece in reads[1:]] == [b"1\r\na", b"1\r\nb", b"1\r\nc"]


def test_an_idle_connection_is_closed_after_its_time(fault_server: FaultServer) -> None:
    fault_server.plan(Fault(body="ok", close_idle=0.02))
    started = time.monotonic()
    assert _reply(fault_server).endswith(b"ok")
    assert time.monotonic() - started > 0.015


def test_the_time_at_which_a_client_left_is_kept(fault_server: FaultServer) -> None:
    fault_server.plan(Fault(at=0, then="stall"))
    with _connect(fault_server) as connection:
        connection.sendall(HEAD + b"\r\n" + BODY)
        connection.recv(100)
        request = fault_server.requests[0]
        assert request.closed_at is None
        with pytest.raises(TimeoutError, match="connection 1 is still open"):
            request.wait_closed(0.01)
        left = time.monotonic()
    assert left <= request.wait_closed() < left + 0.5
    assert not request.finished
