"""What tests of audits do again and again."""

from __future__ import annotations

from logicmix_studio.review.audit import Audit
from logicmix_studio.review.cards import Card
from logicmix_studio.store import Receipt
from logicmix_studio.studio import Studio


def answer(studio: Studio, audit: Audit, card: Card, said: int, **options: str) -> Receipt:
    options = {"who": "ada", **options}
    return studio.audits.answer(audit.number, card.image_id, card.class_name, said, **options)


def answer_all(studio: Studio, audit: Audit, *, wrong: int = 0, limit: int = 10_000) -> None:
    """Answer as the run claims, the first so-and-so-many against it."""
    signs = {(item.image_id, item.class_name): item.sign for item in audit.plan.items}
    for place, card in enumerate(studio.audits.questions(audit.number, limit)):
        sign = signs[card.image_id, card.class_name]
        answer(studio, audit, card, -sign if place < wrong else sign)


def reopened(studio: Studio) -> Studio:
    studio.close()
    return Studio.open(studio.workspace.root, who="ada")


# before it starts ---------------------------------------------------------------------------------
