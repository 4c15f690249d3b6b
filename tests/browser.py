"""Headless Chromium, spoken to over its debugging pipe: no driver and no package is needed."""

import base64
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Browser:
    """One page in a headless Chromium; use it in a `with` block."""

    def __init__(self, profile: Path) -> None:
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        # Chromium reads commands from descriptor 3 and writes answers to descriptor 4. It reaches no other machine.
        command = (
            f"exec {CHROMIUM} --headless=new --no-sandbox --disable-gpu --hide-scrollbars --no-first-run "
            f"--disable-background-networking --host-resolver-rules='MAP * ~NOTFOUND, EXCLUDE 127.0.0.1' "
            f"--user-data-dir={profile} --remote-debugging-pipe about:blank "
            f"3<&{to_browser} 4>&{from_browser}"
        )
        self._process = subprocess.Popen(
            ["bash", "-c", command], pass_fds=(to_browser, from_browser), stderr=subprocess.DEVNULL
        )
        os.close(to_browser)
        os.close(from_browser)
        self._buffer = b""
        self._number = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.ask(f"{domain}.enable")

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._write)
        self._process.terminate()
        self._process.wait(timeout=20)
        os.close(self._read)

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a command and return its result; events that come first are kept in `events`."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self.events.append(answer)

    def open(self, url: str, width: int, height: int = 900) -> None:
        """Open an address in a window of the given size in CSS pixels and wait until all is loaded."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self.events.clear()
        self.ask("Page.navigate", url=url)
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.events.append(self._next())

    def run(self, script: str) -> Any:
        """Return the value of a JavaScript expression on the page."""
        return self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)["result"].get(
            "value"
        )

    def wait(self, script: str, seconds: float = 60) -> Any:
        """Return the value of a JavaScript expression as soon as it is true; fail after some seconds."""
        end = time.monotonic() + seconds
        while not (value := self.run(script)):
            assert time.monotonic() < end, f"not within {seconds} s: {script}"
            time.sleep(0.2)
        return value

    def failures(self) -> list[str]:
        """Return what the last page that was opened failed to load, logged as an error or raised."""
        urls = {
            event["params"]["requestId"]: event["params"]["request"]["url"] for event in self._of("requestWillBeSent")
        }
        failures = [f"{urls[event['params']['requestId']]}: not loaded" for event in self._of("loadingFailed")]
        responses = [event["params"]["response"] for event in self._of("responseReceived")]
        failures += [f"{answer['url']}: {answer['status']}" for answer in responses if answer["status"] >= 400]
        entries = [event["params"]["entry"] for event in self._of("entryAdded")]
        failures += [f"{entry.get('url')}: {entry['text']}" for entry in entries if entry["level"] == "error"]
        failures += [
            f"console: {event['params']['args']}"
            for event in self._of("consoleAPICalled")
            if event["params"]["type"] == "error"
        ]
        return failures + [f"raised: {event['params']}" for event in self._of("exceptionThrown")]

    def _of(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["method"].endswith(f".{name}")]

    def screenshot(self, path: Path, y: int = 0, height: int | None = None) -> None:
        """Save the page, from `y` pixels on, as PNG."""
        size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
        height = min(height or size["height"], size["height"] - y)
        clip = {"x": 0, "y": y, "width": size["width"], "height": height, "scale": 1}
        picture = self.ask("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(picture["data"]))

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            part = os.read(self._read, 1 << 20)
            assert part, "the browser has gone"
            self._buffer += part
        message, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(message)
