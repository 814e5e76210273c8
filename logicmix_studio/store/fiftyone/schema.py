"""Fields, colours, side bar and saved views of the data set, as the FiftyOne App shows them.

FiftyOne comes in as an argument, so that this module can be imported without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from logicmix_studio.labels import TEST_SPLIT
from logicmix_studio.store.fiftyone.documents import CONFLICTS, KNOWN, PSEUDO

if TYPE_CHECKING:
    import fiftyone as fo

TEAL = "#17998b"
SLATE = "#8595ae"
AMBER = "#e5a42c"
DARK_AMBER = "#a87412"
RED = "#dc2626"

_FIELDS = {
    KNOWN: ("what people or trusted files say", TEAL, SLATE),
    PSEUDO: ("pseudo-labels of the current run, on unknown cells", AMBER, DARK_AMBER),
    CONFLICTS: ("where the model contradicts a known label", RED, RED),
}
"""What each field of labels holds, its colour, also that of its positives, and the colour of its negatives."""


def declare_fields(fiftyone: Any, dataset: fo.Dataset) -> None:
    """Declare every field and sub-field, so that the App can show and filter it."""
    if dataset.media_type is None:
        dataset.media_type = "image"
    schema = dataset.get_field_schema(flat=True)

    def declare(path: str, kind: Any, description: str = "", **options: Any) -> None:
        if path not in schema:
            dataset.add_sample_field(path, kind, description=description or None, **options)

    parts = {
        "state": fiftyone.StringField,
        "source": fiftyone.StringField,
        "run": fiftyone.IntField,
        "decided_by": fiftyone.StringField,
        "decided_at": fiftyone.DateTimeField,
    }
    for name, (description, *_) in _FIELDS.items():
        declare(name, fiftyone.EmbeddedDocumentField, description, embedded_doc_type=fiftyone.Classifications)
        for part, kind in parts.items():
            declare(f"{name}.classifications.{part}", kind)
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
            "valueColors": [{"value": "positive", "color": colour}, {"value": "negative", "color": negative}],
        }
        for name, (_, colour, negative) in _FIELDS.items()
    ]
    dataset.app_config.color_scheme = fiftyone.ColorScheme(color_by="value", fields=fields)
    group, facts = fiftyone.SidebarGroupDocument, ["num_unknown", "split", "image_id"]
    dataset.app_config.sidebar_groups = [
        group(name="tags"),
        group(name="labels", paths=[PSEUDO, KNOWN, CONFLICTS], expanded=True),
        group(name="primitives", paths=facts, expanded=True),
    ]
    dataset.app_config.active_fields = fiftyone.ActiveFields(paths=[KNOWN, PSEUDO])


def add_views(dataset: fo.Dataset) -> None:
    """Save the views of the review; a view of the same name is replaced."""
    some = {"$exists": True}
    to_review = {"pseudo.classifications.0": some, "split": {"$ne": TEST_SPLIT}}
    undecided = {"known.classifications.source": {"$nin": ["human", "accepted"]}}
    views = (
        ("to review", to_review, "images with open pseudo-labels", AMBER),
        ("conflicts", {"conflicts.classifications.0": some}, "the model contradicts a known label", RED),
        ("complete", {"num_unknown": 0}, "every class is known", TEAL),
        ("untouched", undecided, "nobody decided here", SLATE),
    )
    for name, condition, description, colour in views:
        view = dataset.match(condition)
        dataset.save_view(name, view, description=description, color=colour, overwrite=True)
