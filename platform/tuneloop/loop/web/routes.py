"""The page's addresses below `/page`: who may see them, and how what they show becomes an answer."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tuneloop.loop.web import views
from tuneloop.loop.web.forms import Form, read_form
from tuneloop.loop.web.guard import REPORT_POLICY, Guard, secure
from tuneloop.loop.web.render import render, style
from tuneloop.loop.web.run_facts import report_of
from tuneloop.loop.web.session import SESSION_SECONDS, Session, clean_name

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Mount

    from tuneloop.loop.web.site import Site
    from tuneloop.loop.web.views import View

logger = logging.getLogger(__name__)

BASE = "/page"
_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="5.5" fill="none" '
    'stroke="#2f6fde" stroke-width="3" stroke-dasharray="26 9"/></svg>'
)

Read = Callable[["Site", Form], "View"]
Endpoint = Callable[["Request"], Awaitable["Response"]]


@dataclass(frozen=True)
class Pages:
    """The endpoints of a site."""

    site: Site

    async def sign_in(self, request: Request) -> Response:
        """`GET /login`. With a code one button signs in: whatever merely looks at a link must not use it up."""
        code = request.query_params.get("code", "")
        return self._login(code=code, who=self.site.keys.name_in(code) if code else "")

    async def signed_in(self, request: Request) -> Response:
        """`POST /login`: a name and the token, or a code, for a cookie."""
        site, sender = self.site, request.client.host if request.client else ""
        form = await read_form(request) or Form()
        if form["code"]:
            who = site.keys.redeem(form["code"])
            if who is None:
                return self._login("This link was used before, or is too old: ask for a new one.", 401)
        else:
            wait = site.attempts.wait(sender)
            if wait > 0:
                text = f"Too many wrong tokens: wait {wait:.0f} seconds, or sign in by `tuneloop loop page`."
                return self._login(text, 429, {"Retry-After": f"{wait:.0f}"}, form["who"])
            who = clean_name(form["who"])
            if not who:
                return self._login("Your name is needed.", 422)
            if not site.keys.is_token(form["token"].strip()):
                site.attempts.failed(sender)
                logger.warning("a wrong token for the loop's page from %s", sender)
                return self._login("This is not the loop's token.", 401, who=who)
        value, _ = site.keys.open(who)
        response = self._go("/")
        response.set_cookie(
            site.keys.cookie,
            value,
            max_age=int(SESSION_SECONDS),
            path=BASE,
            secure=secure(request.scope),
            httponly=True,
            samesite="strict",
        )
        return response

    async def sign_out(self, request: Request) -> Response:
        """`POST /logout`."""
        form, session = await read_form(request), self._session(request)
        response = self._go("/login")
        if session is None or form is None or not self.site.keys.is_form(session, form["form"]):
            return response
        response.delete_cookie(
            self.site.keys.cookie, path=BASE, secure=secure(request.scope), httponly=True, samesite="strict"
        )
        return response

    def reading(self, read: Read) -> Endpoint:
        """The endpoint of a page that only shows."""

        async def endpoint(request: Request) -> Response:
            session = self._session(request)
            if session is None:
                return self._go("/login")
            return await self._shown(session, read, self.site, _asked(request))

        return endpoint

    async def do(self, request: Request) -> Response:
        """`POST /do/{name}`."""
        session = self._session(request)
        if session is None:
            return self._go("/login")
        form = await read_form(request)
        if form is None or not self.site.keys.is_form(session, form["form"]):
            text = "This form was not made for your session. Go back, load its page again, and send it from there."
            return self._message(session, "Not done", text, 403)
        return await self._shown(session, views.do, self.site, _asked(request), form, session)

    async def report(self, request: Request) -> Response:
        """`GET /runs/{run}/report`: the run's own page, in a sandbox."""
        from starlette.responses import FileResponse

        session = self._session(request)
        if session is None:
            return self._go("/login")
        path = report_of(self.site, request.path_params["run"])
        if path is None:
            return self._message(session, "Not found", "This run has no report.", 404)
        headers = {"Content-Security-Policy": REPORT_POLICY, "Cache-Control": "no-store"}
        return FileResponse(path, media_type="text/html; charset=utf-8", headers=headers)

    async def style(self, _: Request) -> Response:
        """`GET /style.css`; its address changes with it."""
        return _plain(style()[0], "text/css; charset=utf-8", "public, max-age=31536000, immutable")

    async def icon(self, _: Request) -> Response:
        """`GET /icon.svg`."""
        return _plain(_ICON, "image/svg+xml", "public, max-age=86400")

    async def unknown(self, request: Request) -> Response:
        """Any other address."""
        session = self._session(request)
        if session is None:
            return self._go("/login")
        return self._message(session, "Not found", "There is nothing at this address.", 404)

    def _session(self, request: Request) -> Session | None:
        return self.site.keys.session(request.cookies.get(self.site.keys.cookie, ""))

    async def _shown(self, session: Session, read: Callable[..., View], *arguments: Any) -> Response:
        """Read in a thread, and show."""
        from starlette.concurrency import run_in_threadpool

        try:
            view = await run_in_threadpool(read, *arguments)
            if view.go:
                return self._go(view.go)
            return await run_in_threadpool(self._html, session, view.template, view.values, view.status)
        except Exception:
            logger.exception("a page of the loop failed")
            text = "The loop's records cannot be read now, or something unexpected happened; its log says more."
            return self._message(session, "This went wrong", text, 500)

    def _html(self, session: Session | None, template: str, values: Any, status: int = 200) -> Response:
        from starlette.responses import HTMLResponse

        keys = self.site.keys
        common = {
            "base": BASE,
            "project": self.site.project.name,
            "now": self.site.clock(),
            "session": session,
            "form": "" if session is None else keys.form(session),
        }
        return HTMLResponse(render(template, **{"here": "", **common, **values}), status)

    def _login(
        self, error: str = "", status: int = 200, headers: dict[str, str] | None = None, who: str = "", code: str = ""
    ) -> Response:
        response = self._html(None, "login.html.j2", {"error": error, "code": code, "who": who}, status)
        response.headers.update(headers or {})
        return response

    def _message(self, session: Session, title: str, text: str, status: int) -> Response:
        return self._html(session, "message.html.j2", {"title": title, "text": text}, status)

    def _go(self, path: str) -> Response:
        from starlette.responses import RedirectResponse

        return RedirectResponse(f"{BASE}{path}", 303)


def page_mount(site: Site, names: Collection[str] = ()) -> Mount:
    """Everything below `/page`.

    Args:
        site: What it shows.
        names: Host names the loop is reached by; see `Guard`.
    """
    from starlette.applications import Starlette
    from starlette.routing import Mount, Route

    pages = Pages(site)
    app = Starlette(
        routes=[
            Route("/login", pages.sign_in, methods=["GET"]),
            Route("/login", pages.signed_in, methods=["POST"]),
            Route("/logout", pages.sign_out, methods=["POST"]),
            Route("/style.css", pages.style, methods=["GET"]),
            Route("/icon.svg", pages.icon, methods=["GET"]),
            Route("/", pages.reading(views.overview), methods=["GET"]),
            Route("/runs", pages.reading(views.runs), methods=["GET"]),
            Route("/runs/{run}", pages.reading(views.run), methods=["GET"]),
            Route("/runs/{run}/report", pages.report, methods=["GET"]),
            Route("/decisions", pages.reading(views.decisions), methods=["GET"]),
            Route("/do/{name}", pages.reading(views.ask), methods=["GET"]),
            Route("/do/{name}", pages.do, methods=["POST"]),
            Route("/{rest:path}", pages.unknown, methods=["GET"]),
        ]
    )
    return Mount(BASE, Guard(app, names))


def _asked(request: Request) -> Form:
    """What the address says: its query, and its parts by name, which win."""
    return Form({**dict(request.query_params), **request.path_params})


def _plain(content: str, kind: str, cache: str) -> Response:
    from starlette.responses import Response

    return Response(content, media_type=kind, headers={"Cache-Control": cache})
