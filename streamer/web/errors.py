"""The server's own errors, and the JSON in which the API reports errors to its callers.

Every error is ``{"error": {"code": …, "message": …}}``, with ``suggestions`` and ``retry_s`` where they help. A ``duplicate``
describes the request that is already waiting, and whether this one counted as a vote for it; ``unlearnt`` says what only other
networks know, and how the operator gets one of those; ``bad_settings`` has all ``mistakes`` of the config file. A browser that
opens a page outside ``/api`` gets an error page that says the same.
"""

from __future__ import annotations

import html
import json
import logging
import math
from collections.abc import Awaitable, Callable
from functools import cache
from http import HTTPStatus
from pathlib import Path
from string import Template

from aiohttp import web

from streamer.errors import ZoomdreamError
from streamer.messages.refused import Reason, Refused, Unlearnt, Vote
from streamer.web.response_schemas import Error, ErrorDetail

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

STATUS = {
    Reason.UNKNOWN_WORD: HTTPStatus.UNPROCESSABLE_ENTITY,
    Reason.UNLEARNT: HTTPStatus.UNPROCESSABLE_ENTITY,
    Reason.DUPLICATE: HTTPStatus.CONFLICT,
    Reason.LIMIT: HTTPStatus.TOO_MANY_REQUESTS,
    Reason.CLOSED: HTTPStatus.CONFLICT,
    Reason.LOADING: HTTPStatus.SERVICE_UNAVAILABLE,
    Reason.BLOCKED: HTTPStatus.FORBIDDEN,
    Reason.FORBIDDEN: HTTPStatus.FORBIDDEN,
    Reason.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Reason.BAD_INPUT: HTTPStatus.BAD_REQUEST,
    Reason.BAD_OUTPUT: HTTPStatus.UNPROCESSABLE_ENTITY,
}


class WebError(ZoomdreamError):
    """The server cannot start; the message is one line for the operator."""

    wrong_call = True


class PortTaken(WebError):
    """Another program already listens on the port."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(
            f"port {port} on {host} is taken by another program; stop it, or choose another port with --set web.port=N (0: any)"
        )
        self.host = host
        self.port = port


class CannotListen(WebError):
    """The address does not belong to this machine, or the system does not allow it."""

    def __init__(self, host: str, port: int, why: str) -> None:
        super().__init__(f"cannot listen on {host} port {port}: {why}; check web.host and web.port")
        self.host = host
        self.port = port


class ApiError(Exception):
    """A call is refused; ``response`` and ``page`` build the answer."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        suggestions: tuple[str, ...] = (),
        retry_s: float | None = None,
        vote: Vote | None = None,
        unlearnt: Unlearnt | None = None,
        mistakes: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.suggestions = suggestions
        self.retry_s = retry_s
        self.vote = vote
        self.unlearnt = unlearnt
        self.mistakes = mistakes

    @classmethod
    def of(cls, refused: Refused) -> ApiError:
        """Convert a refusal into an API error."""
        return cls(
            STATUS[refused.reason],
            refused.reason.value,
            str(refused),
            suggestions=refused.suggestions,
            retry_s=refused.retry_s,
            vote=refused.vote,
            unlearnt=refused.unlearnt,
        )

    def response(self) -> web.Response:
        """Return the error as JSON, with Retry-After in whole seconds where another try may succeed."""
        error: ErrorDetail = {"code": self.code, "message": str(self)}
        if self.suggestions or self.code == Reason.UNKNOWN_WORD:
            error["suggestions"] = list(self.suggestions)
        if self.mistakes:
            error["mistakes"] = list(self.mistakes)
        if self.vote is not None:
            error |= {
                "voted": self.vote.counted,
                "votes": self.vote.votes,
                "id": self.vote.request_id,
                "title": self.vote.title,
            }
            if self.vote.position is not None and self.vote.eta_s is not None:
                error |= {"position": self.vote.position, "eta_s": round(self.vote.eta_s, 1)}
        if self.unlearnt is not None:
            error |= {
                "said": self.unlearnt.said,
                "label": self.unlearnt.label,
                "known": self.unlearnt.known,
                "remedy": self.unlearnt.remedy,
            }
        if self.retry_s is not None:
            error["retry_s"] = round(self.retry_s, 1)
        return web.json_response(Error(error=error), status=self.status, headers=self._headers())

    def page(self) -> web.Response:
        """Return the error as an HTML page."""
        heading = _HEADINGS.get(self.status, "That did not work")
        message = _SENTENCES.get(self.code, str(self))
        message = f"{message[:1].upper()}{message[1:]}".rstrip(".") + "."
        text = _page().substitute(heading=html.escape(heading), message=html.escape(message))
        return web.Response(text=text, content_type="text/html", status=self.status, headers=self._headers())

    def _headers(self) -> dict[str, str]:
        return {} if self.retry_s is None else {"Retry-After": str(max(1, math.ceil(self.retry_s)))}


_HEADINGS = {
    401: "This stream is private",
    403: "Not allowed",
    404: "Page not found",
    429: "Too many requests",
    503: "Try again in a moment",
}
_SENTENCES = {"not_found": "there is no page at this address"}
"""Messages of the error page, by code, where the JSON has another one."""


@cache
def _page() -> Template:
    return Template((Path(__file__).parent / "static" / "error.html").read_text(encoding="utf-8"))


def _answer(request: web.Request, error: ApiError) -> web.Response:
    """The error as a page for browsers that open one, else as JSON."""
    opens_page = request.method in ("GET", "HEAD") and not request.path.startswith("/api/")
    return error.page() if opens_page and "text/html" in request.headers.get("Accept", "") else error.response()


_PLAIN = {
    404: ("not_found", "there is nothing here"),
    405: ("method_not_allowed", "this address does not support that method"),
    413: ("too_large", "the body is too large"),
}


@web.middleware
async def explain(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what a handler raises into a response; only unexpected errors are logged."""
    try:
        return await handler(request)
    except ApiError as error:
        return _answer(request, error)
    except Refused as refused:
        return _answer(request, ApiError.of(refused))
    except web.HTTPException as error:
        if error.status < 400:
            raise
        code, message = _PLAIN.get(error.status, ("refused", error.reason))
        response = _answer(request, ApiError(error.status, code, message))
        if allow := error.headers.get("Allow"):
            response.headers["Allow"] = allow
        return response
    except (ConnectionError, TimeoutError):
        raise  # the caller is gone, or too slow for an answer
    except json.JSONDecodeError as error:
        return ApiError(400, "bad_json", f"the body is not JSON: {error}").response()
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        return _answer(request, ApiError(500, "internal", "something went wrong here; the log says what"))
