from __future__ import annotations

import socket
import time
from types import SimpleNamespace

import pytest
import urllib3.util.retry

from fathomflow.web import AttemptError, Policy, chunks, get, open_session, with_retries
from faulty_server import hang_up, redirect, reset, serve, serving, short, stall, status, trickle

FAST = Policy(attempts=3, timeout_s=0.8, backoff_s=0.01)
DATA = b"0123456789" * 1000


def fetched(uri, policy=FAST):
    with open_session() as session:

        def attempt():
            with get(session, uri, policy) as response:
                return b"".join(chunks(response, policy))

        return with_retries(attempt, policy)


@pytest.mark.parametrize(
    ("answer", "detail", "requests"),
    [
        (status(500), "HTTP status 500", 3),
        (status(404), "HTTP status 404", 1),
        (status(403), "HTTP status 403", 1),
        (short(DATA, 77), "the body ended before its announced length", 3),
        (stall(DATA, 77), "no byte for 0.8 s", 3),
        (reset(DATA, 0), "connection reset by peer", 3),
        (hang_up(), "closed without an answer", 3),
        (redirect("/a"), "too many redirects", 31),
        (redirect("ftp://x/y"), "not a URL that can be fetched", 1),
    ],
)
def test_every_fault_is_named_and_tried_as_often_as_it_deserves(answer, detail, requests):
    with serving({"/a": [answer]}) as server, pytest.raises(AttemptError, match=detail):
        fetched(server.url("/a"))
    assert server.asked["/a"] == requests


@pytest.mark.parametrize("fault", [status(503), short(DATA, 5000), stall(DATA, 10), reset(DATA, 10), hang_up()])
def test_one_count_of_attempts_covers_all_faults(fault):
    with serving({"/a": [fault, status(429), serve(DATA)]}) as server:
        assert fetched(server.url("/a")) == DATA


def test_the_wait_is_as_long_as_the_server_asks_but_has_a_limit(monkeypatch):
    waits = []

    def sleep(seconds):
        waits.append(seconds)
        time.sleep(seconds)

    # Retry's own clock: moments that a busy machine delays would tell less.
    monkeypatch.setattr(urllib3.util.retry, "time", SimpleNamespace(sleep=sleep, time=time.time))
    asked = [status(429, {"Retry-After": "1"}), serve(DATA)]
    with serving({"/a": asked}) as server:
        fetched(server.url("/a"))
        first, second = (moment for _, moment in server.times)
        assert second - first >= 1.0
    assert waits == [1]
    with serving({"/a": [status(503, {"Retry-After": "3600"}), serve(DATA)]}) as server:
        fetched(server.url("/a"), Policy(attempts=2, timeout_s=1, retry_after_max_s=1))
    assert waits == [1, 1]
    with serving({"/a": [status(503, {"Retry-After": "soon"}), serve(DATA)]}) as server:
        assert fetched(server.url("/a")) == DATA


def test_waits_grow_and_are_not_all_alike():
    retries = Policy(attempts=9, backoff_s=1.0).retries()
    waits = []
    for _ in range(4):
        retries = retries.increment("GET")
        waits.append({round(retries.get_backoff_time(), 6) for _ in range(20)})
    assert waits[0] == {0}
    for number, drawn in enumerate(waits[1:], start=1):
        assert 2**number <= min(drawn) < max(drawn) <= 2**number + 1
        assert len(drawn) > 10


def test_nobody_listens():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(AttemptError, match="connection refused"):
        fetched(f"http://127.0.0.1:{port}/")


def test_a_slow_body_has_a_deadline_where_one_is_set():
    with serving({"/a": [trickle(DATA, 16, 0.05)]}) as server, open_session() as session:
        with (
            get(session, server.url("/a"), FAST) as response,
            pytest.raises(AttemptError, match=r"unfinished after 0\.2 s"),
        ):
            list(chunks(response, FAST, deadline_s=0.2))
        with get(session, server.url("/a"), FAST) as response:
            assert b"".join(chunks(response, FAST)) == DATA


@pytest.mark.parametrize("uri", ["", "no scheme", "http://", "http://[::1", "http://..ä../", "gopher://x"])
def test_what_is_no_url_fails_at_once(uri):
    with pytest.raises(AttemptError) as error:
        fetched(uri)
    assert not error.value.transient
