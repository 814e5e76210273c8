"""The data set in the page: export, add and rename a class, import again."""

from __future__ import annotations

from typing import Any, Final

import gradio as gr

from logicmix_studio.app.page import Page, event, person
from logicmix_studio.formats import WRITE_FORMATS
from logicmix_studio.studio import Studio

RECENT_CHANGES: Final = 5
RELOAD: Final = "() => setTimeout(() => location.reload(), 1500)"
"""Class pickers all over the page are stale: the message stays for a moment, then the page is loaded anew."""
AGAIN: Final = (
    "After photographs were added to the folder, read it again as it was read the first time. Answers stay: they win "
    "over what the files say."
)


def data_accordion(page: Page) -> None:
    """Lay out the part of Overview that changes or leaves the data set, then wire it."""
    studio = page.studio
    with gr.Accordion("Data set: export, classes, import again", open=False, elem_id="data-set"), gr.Row():
        with gr.Column():
            kind = gr.Radio(list(WRITE_FORMATS), value=WRITE_FORMATS[0], label="Export as")
            pseudo = gr.Checkbox(label="With open pseudo-labels, marked as such (csv-long only)")
            export = gr.Button("Write the file", size="sm")
            lost = gr.Textbox(label="What the file does not hold", interactive=False, visible=False)
            file = gr.DownloadButton("Save", variant="primary", size="sm", visible=False)
        with gr.Column():
            new = gr.Textbox(label="New class, unknown everywhere", max_lines=1)
            add = gr.Button("Add the class", size="sm")
            old = gr.Dropdown(list(studio.class_names), value=None, label="Class to rename")
            other = gr.Textbox(label="Its new name", max_lines=1)
            rename = gr.Button("Rename the class", size="sm")
        with gr.Column():
            gr.Markdown(AGAIN)
            again = gr.Button("Import again", size="sm")
            told = gr.Textbox(label="What was done", interactive=False, lines=2)
            notes = gr.Textbox(label="About the import, and changes since", interactive=False, max_lines=12)

    def write(kind: str, pseudo: bool) -> list[Any]:
        """Write the labels to a file, and tell what its format does not hold.

        Args:
            kind: csv-long (one row a cell) or csv-wide (one row an image).
            pseudo: Whether to add the open pseudo-labels, marked as such (csv-long only).
        """
        path = studio.workspace.temporary / "gradio" / "export" / f"{studio.name}-{kind}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        report = studio.export(path, kind, proposals=pseudo)
        words = "\n".join(report.lines) or "Nothing is lost."
        return [gr.update(value=str(path), visible=True), gr.update(value=words, visible=True)]

    def add_class(name: str, request: gr.Request) -> str:
        """Add a class, unknown everywhere; tell what was done."""
        studio.add_class(name, who=person(studio, request))
        return changes(studio)[-1]

    def rename_class(class_name: str, new_name: str, request: gr.Request) -> str:
        """Give a class another name; its labels, answers, scores and thresholds stay. Tell what was done."""
        studio.rename_class(class_name or "", new_name, who=person(studio, request))
        return changes(studio)[-1]

    def import_again(request: gr.Request, progress: gr.Progress = gr.Progress()) -> str:  # noqa: B008
        """Read images and labels of the folder anew, as they were read the first time; tell what is new."""
        studio.import_again(
            who=person(studio, request), progress=lambda done, total, what: progress((done, total), desc=what)
        )
        return changes(studio)[-1]

    def look() -> str:
        info = studio.info
        bad = [f"Left out: {image}" for image in info.get("bad_images", ())]
        return "\n".join([*info.get("notes", ()), *bad, *changes(studio)[-RECENT_CHANGES:]])

    export.click(event(write), [kind, pseudo], [file, lost], api_name="export", concurrency_limit=None)
    for button, act, inputs in (
        (add, add_class, [new]),
        (rename, rename_class, [old, other]),
        (again, import_again, []),
    ):
        button.click(event(act), inputs, told, api_name=act.__name__).success(
            None, None, None, js=RELOAD, api_visibility="private"
        )
    page.shown["overview"].select(look, None, notes, queue=False, show_progress="hidden", api_visibility="private")
    _keep_choices(studio, gr.context.Context.root_block)


def changes(studio: Studio) -> list[str]:
    """Return what people did to the data set, the oldest first, one line each."""
    return [
        f"{line.time[:16].replace('T', ' ')} {line.who} {line.note}"
        for line in studio.ledger.lines
        if line.kind == "note" and line.origin == "dataset"
    ]


def _keep_choices(studio: Studio, blocks: gr.Blocks) -> None:
    """Let every picker that offers all classes offer those of today when the data set is read anew."""
    offered = list(studio.class_names)

    def renew() -> None:
        nonlocal offered
        for block in blocks.blocks.values():
            choices = getattr(block, "choices", None) or []
            values = [value for _, value in choices]
            if set(offered) <= set(values):
                classes = [(name, name) for name in studio.class_names]
                first = values.index(offered[0]) if offered else len(values)
                others = [choice for choice in choices if choice[1] not in offered]
                block.choices = [*others[:first], *classes, *others[first:]]
        offered = list(studio.class_names)
        blocks.config = blocks.get_config_file()

    studio.on_reload(renew)
