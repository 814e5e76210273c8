import re
from pathlib import Path

from PIL import Image

from docs.make_screenshots import SHOTS

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "assets" / "screenshots"
MOST_BYTES = 2_500_000


def pictures_of(page: Path) -> set[Path]:
    links = re.findall(r"\]\(([^)]+\.png)\)", page.read_text(encoding="utf-8"))
    return {(page.parent / link).resolve() for link in links}


def test_tour_shows_every_tab() -> None:
    shown = {path.name.split("-")[0] for path in pictures_of(ROOT / "docs" / "tour.md")}
    assert shown == {"overview", "browse", "blend", "review", "label", "train"}


def test_pictures_of_the_pages_exist_and_are_made_by_the_script() -> None:
    made = {f"{shot.name}-{scheme}.png" for shot in SHOTS for scheme in shot.schemes}
    for page in ROOT.joinpath("docs").glob("*.md"):
        for path in pictures_of(page):
            assert path.exists(), f"{page.name}: {path}"
            assert path.name in made


def test_pictures_are_small() -> None:
    files = list(PICTURES.glob("*.png"))
    assert files
    assert sum(file.stat().st_size for file in files) < MOST_BYTES
    for file in files:
        with Image.open(file) as picture:
            assert picture.size == (1280, 800), file.name
