"""A headless Chromium for tests of pages, driven through ChromeDriver by the WebDriver protocol.

Neither loads anything from a network: pages are files, and ChromeDriver listens on the loopback
interface.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars",
)  # fmt: skip
KEYS = {"ArrowLeft": "\ue012", "ArrowUp": "\ue013", "ArrowRight": "\ue014", "ArrowDown": "\ue015",
        "Tab": "\ue004", "Enter": "\ue007", "Escape": "\ue00c"}  # fmt: skip


class NoBrowserError(Exception):
    """No Chromium with ChromeDriver is installed."""


class Browser:
    """One window.

    Args:
        port: where ChromeDriver listens.
        profile: an empty folder.
        binary: the browser.

    """

    def __init__(self, port: int, profile: Path, binary: str) -> None:
        self._port = port
        options = {"binary": binary, "args": [*FLAGS, f"--user-data-dir={profile}"]}
        told = {
            "capabilities": {
                "alwaysMatch": {
                    "goog:chromeOptions": options,
                    "goog:loggingPrefs": {"browser": "ALL"},
                }
            }
        }
        self._session = "/session"
        self._session = f"/session/{self._ask('POST', '', told)['sessionId']}"

    def open(
        self, page: Path | str, *, width: int = 1280, height: int = 900, dark: bool = False
    ) -> None:
        """Opens a file at a size, in light or dark colours; waits until its script has run."""
        address = page if isinstance(page, str) else page.absolute().as_uri()
        self.cdp(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.cdp("Emulation.setEmulatedMedia", features=[scheme])
        self._ask("POST", "/url", {"url": "about:blank"})
        self._ask("POST", "/url", {"url": address})
        self.settle()

    def run(self, script: str, *arguments: Any) -> Any:
        """The value that a script returns."""
        return self._ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def settle(self) -> None:
        """Waits for two frames: queued drawings are done."""
        script = (
            "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(done))"
        )
        self._ask("POST", "/execute/async", {"script": script, "args": []})

    def click(self, css: str) -> None:
        """Clicks an element as a person would; fails when another one covers it."""
        self._ask("POST", f"/element/{self._element(css)}/click", {})
        self.settle()

    def type(self, css: str, text: str) -> None:
        """Types into an element; a name of :data:`KEYS` is that key."""
        keys = {"text": KEYS.get(text, text)}
        self._ask("POST", f"/element/{self._element(css)}/value", keys)
        self.settle()

    def wheel(self, css: str, down: int, at: tuple[int, int] = (0, 0)) -> None:
        """Turns the wheel over an element, ``at`` pixels from its centre."""
        origin = {"element-6066-11e4-a52e-4f735466cecf": self._element(css)}
        scroll = {
            "type": "scroll", "origin": origin, "x": at[0], "y": at[1], "deltaX": 0, "deltaY": down,
        }  # fmt: skip
        self._ask(
            "POST", "/actions", {"actions": [{"type": "wheel", "id": "w", "actions": [scroll]}]}
        )
        self.settle()

    def drag(self, css: str, by: tuple[int, int]) -> None:
        """Drags from the centre of an element."""
        origin = {"element-6066-11e4-a52e-4f735466cecf": self._element(css)}
        steps = [
            {"type": "pointerMove", "origin": origin, "x": 0, "y": 0},
            {"type": "pointerDown", "button": 0},
            *(
                {"type": "pointerMove", "origin": "pointer", "x": by[0] // 4, "y": by[1] // 4}
                for _ in range(4)
            ),
            {"type": "pointerUp", "button": 0},
        ]
        self._ask(
            "POST", "/actions", {"actions": [{"type": "pointer", "id": "p", "actions": steps}]}
        )
        self.settle()

    def messages(self) -> list[str]:
        """Warnings and errors of the console since the last call."""
        return [entry["message"] for entry in self._ask("POST", "/se/log", {"type": "browser"})]

    def screenshot(self, path: Path, *, full: bool = True) -> None:
        """The page as PNG, all of it or the window."""
        data = self.cdp("Page.captureScreenshot", format="png", captureBeyondViewport=full)["data"]
        path.write_bytes(base64.b64decode(data))

    def cdp(self, command: str, **parameters: Any) -> Any:
        """The result of a command of the DevTools protocol."""
        return self._ask("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def close(self) -> None:
        """Closes the window."""
        self._ask("DELETE", "", None)

    def _element(self, css: str) -> str:
        found = self._ask("POST", "/element", {"using": "css selector", "value": css})
        return str(next(iter(found.values())))

    def _ask(self, method: str, path: str, body: Any) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=120)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(
                method, f"{self._session}{path}", text, {"Content-Type": "application/json"}
            )
            value = json.loads(connection.getresponse().read())["value"]
        finally:
            connection.close()
        if isinstance(value, dict) and "error" in value:
            msg = f"{method} {path}: {value['error']}: {value['message'].splitlines()[0]}"
            raise AssertionError(msg)
        return value


@contextlib.contextmanager
def running_browser() -> Iterator[Browser]:
    """A browser for one worker.

    Raises:
        NoBrowserError: it is not installed.

    """
    driver = shutil.which("chromedriver")
    binary = next((b for b in map(shutil.which, BROWSERS) if b), None)
    if driver is None or binary is None:
        msg = "no Chromium with ChromeDriver: run deploy/install-browser.sh (make test does)"
        raise NoBrowserError(msg)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = [driver, "--port=0"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            assert process.stdout is not None
            try:
                browser = Browser(_port(process.stdout), Path(folder), binary)
                try:
                    yield browser
                finally:
                    browser.close()
            finally:
                process.terminate()


def _port(lines: Any) -> int:
    for line in lines:
        found = re.search(r"started successfully on port (\d+)", line)
        if found:
            return int(found[1])
    msg = "ChromeDriver ended before it listened"
    raise NoBrowserError(msg)
