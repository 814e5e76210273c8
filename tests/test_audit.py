"""The check of the dependencies tells a known vulnerability from an advisory service that can't be reached."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.ports import reserved_port

AUDIT = Path(__file__).parent.parent / ".ci" / "audit"
ADVISORY = {
    "id": "GHSA-xxxx-yyyy-zzzz",
    "modified": "2026-01-01T00:00:00Z",
    "summary": "Reads beyond the end",
    "affected": [
        {
            "package": {"name": "pictures", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.1"}]}],
        }
    ],
}


class Service(BaseHTTPRequestHandler):
    """An index with one package and an advisory service that knows one advisory, or fails."""

    status, vulnerable = 200, True

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))["queries"]
        found = {"vulns": [{"id": ADVISORY["id"], "modified": ADVISORY["modified"]}]} if self.vulnerable else {}
        self.answer({"results": [found for _ in asked]})

    def do_GET(self) -> None:
        self.answer(
            {"name": "pictures", "files": [], "meta": {"api-version": "1.4"}} if "simple" in self.path else ADVISORY
        )

    def answer(self, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(self.status)
        kind = "application/vnd.pypi.simple.v1+json" if "simple" in self.path else "application/json"
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Stay quiet."""


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def audit(project: Path, url: str, *more: str) -> tuple[int, str]:
    """Return the exit status and the words of an audit of a project whose lock names one package."""
    head = 'version = 1\nrevision = 3\nrequires-python = ">=3.11"\n'
    (project / "pyproject.toml").write_text(
        '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["pictures"]\n'
    )
    (project / "uv.lock").write_text(
        f'{head}\n[[package]]\nname = "app"\nversion = "1"\nsource = {{ virtual = "." }}\n'
        f'dependencies = [{{ name = "pictures" }}]\n'
        f'\n[[package]]\nname = "pictures"\nversion = "1.0"\nsource = {{ registry = "{url}/simple" }}\n'
        f'wheels = [{{ url = "{url}/pictures-1.0-py3-none-any.whl", hash = "sha256:{"0" * 64}", size = 1 }}]\n'
    )
    command = [str(AUDIT), "--project", str(project), "--service-url", url, *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_known_vulnerability_fails(tmp_path: Path, url: str) -> None:
    status, said = audit(tmp_path, url)
    assert status == 1
    assert "pictures 1.0 has 1 known vulnerability" in said


def test_without_any_it_passes(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Service, "vulnerable", False)
    status, said = audit(tmp_path, url)
    assert (status, "no known vulnerabilities" in said) == (0, True)


def test_a_service_that_cannot_be_reached_is_said_in_one_line(tmp_path: Path) -> None:
    with reserved_port() as place:
        status, said = audit(tmp_path, f"http://127.0.0.1:{place.getsockname()[1]}")
    assert status == 0
    assert said.startswith("not audited: the advisory service can't be reached")
    assert said.count("\n") == 1


def test_a_service_that_fails_counts_as_not_reached(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Service, "status", 503)
    status, said = audit(tmp_path, url)
    assert (status, said[:11]) == (0, "not audited")


def test_what_uv_does_not_understand_fails(tmp_path: Path, url: str) -> None:
    assert audit(tmp_path, url, "--no-such-option")[0] == 2
