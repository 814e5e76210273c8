"""A reviewer who answers as Review's page does: cards taken ahead, each answer sent again until it is acknowledged."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx

Given = dict[str, Any]
AGAIN_S = 0.5


class PageReviewer:
    """One person at a studio's stream of questions.

    Attributes:
        acknowledged: The answers that the server has acknowledged, by their id.
        took: Milliseconds from sending an answer to its acknowledgement, where no try failed.
        retries: How often something was asked again.
    """

    def __init__(self, who: str, url: Callable[[], str], *, patience_s: float = 180.0) -> None:
        """Prepare; ``url`` tells where the studio is served at the moment."""
        self.acknowledged: dict[str, Given] = {}
        self.took: list[float] = []
        self.retries = 0
        self._headers, self._session = {"x-logicmix-person": who}, uuid.uuid4().hex
        self._url, self._patience = url, patience_s
        self._client: httpx.Client | None = None

    def cards(self, want: int, **filters: Any) -> list[Given]:
        """Take cards that nobody else is asked about."""
        asked = {"filters": {"scope": "open", "order": "random"} | filters, "want": want, "have": []}
        cards: list[Given] = self._call("next_cards", {**asked, "holder": self._session})["cards"]
        return cards

    def answer(self, card: Given, state: int) -> None:
        """Answer a card, and come back when that is acknowledged."""
        given = {"state": state, "answer": "set", "id": uuid.uuid4().hex, "suggestion": "shown", "ms": 1000}
        given |= {name: card[name] for name in ("image", "name", "score", "run")}
        before, start = self.retries, time.perf_counter()
        told = self._call("answer", given)
        if self.retries == before:
            self.took.append((time.perf_counter() - start) * 1000)
        self.acknowledged[given["id"]] = {**given, **told}

    def work(self, state_of: Callable[[Given], int], *, pause_s: float = 1.0, ahead: int = 20) -> Iterator[None]:
        """Answer one card after the other, one each ``pause_s`` seconds; end where no card is left."""
        while cards := self.cards(ahead):
            for card in cards:
                start = time.perf_counter()
                self.answer(card, state_of(card))
                yield
                time.sleep(max(0.0, start + pause_s - time.perf_counter()))

    def close(self) -> None:
        """Hang up."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _call(self, name: str, data: Given) -> Any:
        deadline = time.monotonic() + self._patience
        while True:
            try:
                return self._ask(name, data)
            except httpx.TransportError:  # whatever a server that ends or starts brings
                self.close()
                self.retries += 1
                if time.monotonic() > deadline:
                    raise
                time.sleep(AGAIN_S)

    def _ask(self, name: str, data: Given) -> Any:
        if self._client is None:
            how: Given = {"headers": self._headers, "timeout": 60, "trust_env": False, "verify": False}
            self._client = httpx.Client(base_url=self._url(), **how)
            parts = self._client.get("/config").raise_for_status().json()["components"]
            self._stream = next(one["id"] for one in parts if one["props"].get("elem_id") == "review-stream")
        asked = {"data": data, "component_id": self._stream, "fn_name": name, "session_hash": self._session}
        return self._client.post("/gradio_api/component_server/", json=asked).raise_for_status().json()
