"""HTTP as one polite client: a pooled session, one retry policy, attempts that say why they failed."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry
from urllib3.exceptions import HTTPError, IncompleteRead, InvalidHeader, MaxRetryError, ReadTimeoutError
from urllib3.response import BaseHTTPResponse

T = TypeVar("T")

#: The server says that the resource is not there, and will not be.
GONE = frozenset({404, 410})
#: Statuses that another attempt may change.
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
#: Bytes read from a connection at once.
CHUNK = 1 << 18


@dataclass(frozen=True)
class Policy:
    """How long and how often to try.

    Attributes
    ----------
    attempts
        Requests for one resource before it is given up.
    timeout_s
        Seconds without a byte after which an attempt has failed.
    backoff_s
        Wait before the third request; it doubles each time, with as much jitter again. The second goes out at once.
    retry_after_max_s
        Longest wait that a server's Retry-After may ask for.
    """

    attempts: int = 5
    timeout_s: float = 60.0
    backoff_s: float = 0.5
    retry_after_max_s: int = 120

    def retries(self) -> Retry:
        """Return urllib3's bookkeeping of attempts, backoff and jitter for one resource."""
        return Retry(
            total=self.attempts - 1,
            backoff_factor=self.backoff_s,
            backoff_jitter=self.backoff_s,
            backoff_max=60.0,
            retry_after_max=self.retry_after_max_s,
        )


class AttemptError(Exception):
    """One attempt failed.

    Attributes
    ----------
    detail
        Why, without anything that differs from run to run.
    transient
        Whether another attempt may do better.
    status
        The HTTP status, where that is what failed.
    response
        What the server answered, for its Retry-After.
    """

    def __init__(
        self,
        detail: str,
        *,
        transient: bool = True,
        status: int | None = None,
        response: BaseHTTPResponse | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.transient = transient
        self.status = status
        self.response = response


def open_session(pool: int = 4) -> requests.Session:
    """Return a session that keeps up to `pool` connections to a host; threads may share it.

    The session itself retries nothing: attempts are counted once, in `with_retries`, so that a status, a lost
    connection and a bad body all draw on the same number.
    """
    session = requests.Session()
    adapter = HTTPAdapter(pool_connections=8, pool_maxsize=pool, max_retries=0)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    # Bytes as stored: a server that compresses on the fly would change lengths and hide short bodies.
    session.headers.update({"User-Agent": "fathomflow/0.1", "Accept": "*/*", "Accept-Encoding": "identity"})
    return session


def with_retries(attempt: Callable[[], T], policy: Policy) -> T:
    """Call `attempt` until it returns, waiting between calls as the policy and the server say.

    Raises
    ------
    AttemptError
        The last attempt's, when the attempts are used up or no other can help.
    """
    retries = policy.retries()
    while True:
        try:
            return attempt()
        except AttemptError as error:
            if not error.transient:
                raise
            try:
                retries = retries.increment("GET")
            except MaxRetryError:
                raise error from None
            try:
                retries.sleep(error.response)
            except InvalidHeader:
                retries.sleep()


@contextmanager
def get(
    session: requests.Session, uri: str, policy: Policy, headers: Mapping[str, str] | None = None
) -> Iterator[requests.Response]:
    """Open a resource for streaming; the status is 200 or 206.

    Raises
    ------
    AttemptError
        No connection, a broken redirect, or any other status.
    """
    timeout = (min(policy.timeout_s, 30.0), policy.timeout_s)
    try:
        response = session.get(uri, stream=True, timeout=timeout, headers=headers)
    except (requests.RequestException, HTTPError, UnicodeError) as error:
        permanent = isinstance(error, ValueError | requests.TooManyRedirects)
        raise AttemptError(describe(error, policy), transient=not permanent) from error
    with response:
        if response.status_code not in (200, 206):
            raise AttemptError(
                f"HTTP status {response.status_code}",
                transient=response.status_code in TRANSIENT,
                status=response.status_code,
                response=response.raw,
            )
        yield response


def chunks(response: requests.Response, policy: Policy, deadline_s: float = math.inf) -> Iterator[bytes]:
    """Yield the body as it comes.

    A body shorter than announced, stalled, or unfinished after `deadline_s` seconds raises AttemptError.
    """
    deadline = time.monotonic() + deadline_s
    while True:
        try:
            data = response.raw.read1(CHUNK, decode_content=False)
        except (HTTPError, OSError) as error:
            raise AttemptError(describe(error, policy)) from error
        if not data:
            return
        yield data
        if time.monotonic() > deadline:
            raise AttemptError(f"still unfinished after {deadline_s:g} s")


def describe(error: BaseException, policy: Policy) -> str:
    """Say in a few words what went wrong, without object addresses, ports or times."""
    chain = list(_causes(error))
    for cause in chain:
        if isinstance(cause, IncompleteRead):
            return "the body ended before its announced length"
        if isinstance(cause, requests.ConnectTimeout):
            return "no connection in time"
        if isinstance(cause, requests.ReadTimeout | ReadTimeoutError | TimeoutError):
            return f"no byte for {policy.timeout_s:g} s"
        if isinstance(cause, requests.TooManyRedirects):
            return "too many redirects"
    for cause in reversed(chain):
        if isinstance(cause, OSError) and cause.strerror:
            return os.strerror(cause.errno).lower() if cause.errno and cause.errno > 0 else cause.strerror
    last = chain[-1]
    if isinstance(last, ConnectionError):
        return "the connection was closed without an answer"
    if isinstance(last, ValueError):
        return f"not a URL that can be fetched: {last}"
    return type(last).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what caused it, through the ways in which requests and urllib3 keep causes."""
    seen: set[int] = set()
    queue: list[object] = [error]
    while queue:
        cause = queue.pop(0)
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        queue += [getattr(cause, "reason", None), *cause.args, cause.__cause__, cause.__context__]
