"""The login page, shown only where the server listens to other machines."""

from __future__ import annotations

import html
from urllib.parse import parse_qs, quote

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, RedirectResponse, Response

from logicmix_studio.errors import StudioError
from logicmix_studio.ui.security import PERSON_COOKIE, SESSION_DAYS, Access, clean_name

_MAX_BODY = 10_000
_COOKIE_AGE_S = SESSION_DAYS * 86_400


def router(access: Access) -> APIRouter:
    """Return the routes of the login page."""
    routes = APIRouter()

    @routes.get("/login")
    def show() -> Response:
        return RedirectResponse("/", status_code=303) if access.password is None else HTMLResponse(_page())

    @routes.post("/login")
    async def enter(request: Request) -> Response:
        body = await request.body()
        form = parse_qs(body[:_MAX_BODY].decode(errors="replace"))
        name = clean_name(form.get("name", [""])[0])
        try:
            is_right = await run_in_threadpool(access.check_password, form.get("password", [""])[0])
        except StudioError as error:
            return HTMLResponse(_page(name, f"{error.what}: {error.hint}"), status_code=429)
        if not is_right:
            return HTMLResponse(_page(name, "That password is not right."), status_code=401)
        answer = RedirectResponse("/", status_code=303)
        answer.set_cookie(
            access.cookie_name,
            access.session_cookie(),
            max_age=_COOKIE_AGE_S,
            httponly=True,
            samesite="strict",
        )
        if name:
            answer.set_cookie(PERSON_COOKIE, quote(name), max_age=_COOKIE_AGE_S, samesite="strict")
        return answer

    @routes.post("/logout")
    def leave() -> Response:
        answer = RedirectResponse("/login", status_code=303)
        answer.delete_cookie(access.cookie_name, httponly=True, samesite="strict")
        return answer

    return routes


def _page(name: str = "", problem: str = "") -> str:
    warning = f'<p class="lm-login-problem" role="alert">{html.escape(problem)}</p>' if problem else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Log in · LogicMix Studio</title>
<link rel="icon" href="/assets/icons/logicmix.svg">
<link rel="stylesheet" href="/assets/css/tokens.css">
<link rel="stylesheet" href="/assets/css/base.css">
<link rel="stylesheet" href="/assets/css/components.css">
</head>
<body class="lm lm-login">
<main>
<form method="post" action="/login" class="lm-card lm-login-card">
<img src="/assets/icons/logicmix.svg" alt="" width="40" height="40">
<h1>LogicMix Studio</h1>
<p>This studio listens to other machines, so it asks who is there.</p>
{warning}
<label>Your name
<input class="lm-input" name="name" value="{html.escape(name)}" autocomplete="username" maxlength="60">
</label>
<label>Password
<input class="lm-input" name="password" type="password" autocomplete="current-password" required autofocus>
</label>
<button class="lm-button lm-button-primary" type="submit">Log in</button>
</form>
</main>
</body>
</html>
"""
