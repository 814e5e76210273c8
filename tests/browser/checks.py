"""What browser tests look at again and again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

GRAVE = ("serious", "critical")


def assert_accessible(page: Page) -> None:
    """Fail on any serious or critical finding of axe-core."""
    results: dict[str, Any] = Axe().run(page).response
    grave = [
        f"{found['id']} ({found['impact']}): {found['help']}\n  "
        + "\n  ".join(
            f"{node['target']} {node.get('failureSummary', '')[:240]}" for node in found["nodes"][:4]
        )
        for found in results["violations"]
        if found["impact"] in GRAVE
    ]
    assert not grave, "\n".join(grave)


def wait_for_tab(page: Page, name: str) -> None:
    """Wait until a tab's script has drawn it."""
    page.wait_for_selector(f'[data-lm-tab="{name}"] > .lm-tab-body:only-child')


def keep_picture(page: Page, name: str) -> None:
    """Write a screenshot into the folder that LOGICMIX_SCREENSHOTS names, if it names one."""
    folder = os.environ.get("LOGICMIX_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png")
