"""Fields, colours, side bar and saved views of the data set, as the FiftyOne App shows them.

FiftyOne comes in as an argument, so that this module can be imported without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from logicmix_studio.labels import TEST_SPLIT
from logicmix_studio.store.fiftyone.documents import CONFLICTS, KNOWN, LABEL_FIELDS, PSEUDO

if TYPE_CHECKING:
    import fiftyone as fo

TEAL = "#17998b"
SLATE = "#8595ae"
AMBER = "#e5a42c"
DARK_AMBER = "#a87412"
RED = "#dc2626"

_COLOURS = {
    KNOWN: (TEAL, {"positive": TEAL, "negative": SLATE}),
    PSEUDO: (AMBER, {"positive": AMBER, "negative": DARK_AMBER}),
    CONFLICTS: (RED, {"positive": RED, "negative": RED}),
}
_DECIDED = ("human", "accepted")


def declare_fields(fiftyone: Any, dataset: fo.Dataset) -> None:
    """Declare every field and sub-field, so that the App can show and filter it."""
    if dataset.media_type is None:
        dataset.media_type = "image"
    schema = dataset.get_field_schema(flat=True)

    def declare(path: str, kind: Any, description: str = "", **options: Any) -> None:
        if path not in schema:
            dataset.add_sample_field(path, kind, description=description or None, **options)

    labels = {"embedded_doc_type": fiftyone.Classifications}
    declare(KNOWN, fiftyone.EmbeddedDocumentField, "what people or trusted files say", **labels)
    declare(
        PSEUDO, fiftyone.EmbeddedDocumentField, "pseudo-labels of the current run, on unknown cells", **labels
    )
    declare(CONFLICTS, fiftyone.EmbeddedDocumentField, "where the model contradicts a known label", **labels)
    for name in LABEL_FIELDS:
        declare(f"{name}.classifications.state", fiftyone.StringField)
        declare(f"{name}.classifications.source", fiftyone.StringField)
        declare(f"{name}.classifications.run", fiftyone.IntField)
        declare(f"{name}.classifications.decided_by", fiftyone.StringField)
        declare(f"{name}.classifications.decided_at", fiftyone.DateTimeField)
    declare("num_unknown", fiftyone.IntField, "classes that nobody has looked at in this image")
    declare("split", fiftyone.StringField)
    declare("image_id", fiftyone.StringField, "names the image in the journal and in the studio")
    samples = dataset._sample_collection
    samples.create_index([("pseudo.classifications.label", 1), ("pseudo.classifications.confidence", -1)])
    samples.create_index("num_unknown")


def set_appearance(fiftyone: Any, dataset: fo.Dataset) -> None:
    """Give each state the studio's colour and put the labels on top of the side bar."""
    fields = [
        {
            "path": name,
            "fieldColor": colour,
            "colorByAttribute": "state",
            "valueColors": [{"value": state, "color": of_state} for state, of_state in by_state.items()],
        }
        for name, (colour, by_state) in _COLOURS.items()
    ]
    dataset.app_config.color_scheme = fiftyone.ColorScheme(color_by="value", fields=fields)
    dataset.app_config.sidebar_groups = [
        fiftyone.SidebarGroupDocument(name="tags"),
        fiftyone.SidebarGroupDocument(name="labels", paths=[PSEUDO, KNOWN, CONFLICTS], expanded=True),
        fiftyone.SidebarGroupDocument(
            name="primitives", paths=["num_unknown", "split", "image_id"], expanded=True
        ),
    ]
    dataset.app_config.active_fields = fiftyone.ActiveFields(paths=[KNOWN, PSEUDO])


def add_views(dataset: fo.Dataset) -> None:
    """Save the views of the review; a view of the same name is replaced."""
    some = {"$exists": True}
    to_review = {"pseudo.classifications.0": some, "split": {"$ne": TEST_SPLIT}}
    views = (
        ("to review", to_review, "images with open pseudo-labels", AMBER),
        ("conflicts", {"conflicts.classifications.0": some}, "the model contradicts a known label", RED),
        ("complete", {"num_unknown": 0}, "every class is known", TEAL),
        (
            "untouched",
            {"known.classifications.source": {"$nin": list(_DECIDED)}},
            "nobody decided here",
            SLATE,
        ),
    )
    for name, condition, description, colour in views:
        dataset.save_view(
            name, dataset.match(condition), description=description, color=colour, overwrite=True
        )
