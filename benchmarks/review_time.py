"""How many keys and seconds it takes to correct 10 wrong cells of 200 and sign.

    python -m benchmarks.review_time --out benchmarks/results/review
    python -m benchmarks.review_time --label-studio VENV --out benchmarks/results/review

Cells are rendered, and no time is spent thinking: what is measured is the page. `--label-studio`
names a virtual environment with Label Studio's open-source edition, which gets the same cells with
the same predictions, the most doubtful first. It has no signature.
"""

from __future__ import annotations

import argparse
import base64
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from benchmarks.review_slides import COUNTS, Slides, render_slides
from playwright.sync_api import Page, sync_playwright

from buffycoat.taxonomy import WBCBENCH

BROWSERS = ("chromium-headless-shell", "chromium", "chrome-headless-shell", "google-chrome")
N_WRONG = 10
SEED = 7
WAIT_S = 180
ACCOUNT = ("reader@example.org", "rendered cells only")
HOTKEYS = "123456789qwert"


@dataclass
class Count:
    """What one way of working took.

    Attributes:
        tool: Program and what was done in it.
        keys: Keys pressed; Shift with a letter is one.
        clicks: Of the mouse.
        requests: Sent by the page, pictures included.
        pictures: Of these, for pictures.
        seconds: From the address typed in to the last answer.
        n_right: Cells that have the class they were drawn as at the end.
    """

    tool: str
    keys: int = 0
    clicks: int = 0
    requests: int = 0
    pictures: int = 0
    seconds: float = 0.0
    n_right: int = 0
    _begun: float = field(default=0.0, repr=False)

    def watch(self, page: Page) -> None:
        """Begin: the clock runs, and requests are counted."""
        page.on("request", self._asked)
        self._begun = time.perf_counter()

    def end(self, page: Page) -> None:
        """Stop the clock and the count."""
        page.remove_listener("request", self._asked)
        self.seconds = round(time.perf_counter() - self._begun, 2)

    def press(self, page: Page, key: str) -> None:
        """Press a key."""
        self.keys += 1
        page.keyboard.press(key)

    def _asked(self, request: Any) -> None:
        self.requests += 1
        self.pictures += request.resource_type == "image"

    def row(self) -> dict[str, Any]:
        """For the table."""
        return {key: value for key, value in vars(self).items() if not key.startswith("_")}


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@contextmanager
def serving(command: list[str], url: str, log: Path, env: dict[str, str]) -> Iterator[None]:
    """A server that runs while the block does."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, **env})
    try:
        end = time.monotonic() + WAIT_S
        while not answers(url):
            if process.poll() is not None or time.monotonic() > end:
                raise SystemExit(f"{command[0]} did not start:\n{log.read_text()[-3000:]}")
            time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


def with_buffycoat(page: Page, slides: Slides, folder: Path) -> Count:
    """Jump to each doubtful cell, press the key of its class, sign."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    run = "from buffycoat.cli.main import app; app()"
    command = [
        sys.executable, "-c", run, "review", str(slides.predictions), "--images",
        str(slides.images), "--database", f"sqlite:///{folder / 'review.sqlite'}", "--reader", "A",
        "--port", str(port), "--no-browser",
    ]  # fmt: skip
    count = Count("buffycoat review, doubtful cells, signed")
    with serving(command, f"{url}api/v1/session", folder / "review.log", {}):
        count.watch(page)
        page.goto(f"{url}#/slides/1/first")
        page.wait_for_selector(".cell:focus")
        keys = {
            button.get_attribute("data-drop"): button.get_attribute("aria-keyshortcuts")
            for button in page.locator(".palette button").all()
        }
        ids = {cell["n"]: cell["id"] for cell in cells_of(page, url)}
        left = set(slides.wrong)
        while left:
            here = ids[int(page.evaluate("document.activeElement.dataset.n"))]
            if here not in left:
                count.press(page, ".")
                continue
            count.press(page, keys[slides.truth[here]])
            left.remove(here)
        count.press(page, "Shift+D")
        for label in ("Sign …", "Sign"):
            button = page.get_by_role("button", name=label, exact=True)
            button.wait_for()
            while not button.evaluate("(button) => button === document.activeElement"):
                count.press(page, "Tab")
            count.press(page, "Enter")
        page.get_by_text("Signed as version 1").first.wait_for()
        count.end(page)
        found = {cell["id"]: cell["label"] or cell["predicted"] for cell in cells_of(page, url)}
    count.n_right = sum(found[name] == code for name, code in slides.truth.items())
    return count


def cells_of(page: Page, url: str) -> list[dict[str, Any]]:
    return page.request.get(f"{url}api/v1/slides/1/cells?role=first").json()["cells"]


class LabelStudio:
    """Label Studio on its own SQLite, with the same cells and predictions.

    Args:
        venv: Where it is installed.
        folder: For its data.
    """

    def __init__(self, venv: Path, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self.command = [
            str(venv / "bin" / "label-studio"), "start", "--no-browser", "--port", str(self.port),
            "--data-dir", str(folder / "label-studio"), "--username", ACCOUNT[0],
            "--password", ACCOUNT[1], "--log-level", "ERROR",
        ]  # fmt: skip
        self.env = {"LATEST_VERSION_CHECK": "false", "COLLECT_ANALYTICS": "false"}

    def log_in(self, page: Page) -> None:
        """As the account that the server was started with."""
        page.goto(f"{self.url}user/login/")
        page.locator("input[name=email]").fill(ACCOUNT[0])
        page.locator("input[name=password]").fill(ACCOUNT[1])
        page.locator("button[type=submit]").click()
        page.wait_for_url(lambda url: "login" not in url)

    def fill(self, page: Page, slides: Slides) -> int:
        """Make a project; the number of it."""
        choices = "".join(
            f'<Choice value="{code}" hotkey="{key}"/>'
            for code, key in zip(WBCBENCH.codes, HOTKEYS, strict=False)
        )
        config = (
            '<View><Image name="cell" value="$image"/>'
            f'<Choices name="class" toName="cell" choice="single">{choices}</Choices></View>'
        )
        project = self._post(page, "api/projects/", {
            "title": "cells", "label_config": config, "show_collab_predictions": True,
            "sampling": "Sequential sampling", "model_version": "rendered",
        })  # fmt: skip
        number = project["id"]
        table = pd.read_csv(slides.predictions).sort_values("probability")
        tasks = [self._task(row, slides) for row in table.to_dict("records")]
        self._post(page, f"api/projects/{number}/import?return_task_ids=1", tasks)
        return number

    def _task(self, row: dict[str, Any], slides: Slides) -> dict[str, Any]:
        data = base64.b64encode((slides.images / row["cell_id"]).read_bytes()).decode()
        result = {
            "from_name": "class", "to_name": "cell", "type": "choices",
            "value": {"choices": [row["label"]]},
        }  # fmt: skip
        return {
            "data": {"image": f"data:image/png;base64,{data}", "name": row["cell_id"]},
            "predictions": [
                {"model_version": "rendered", "score": row["probability"], "result": [result]}
            ],
        }

    def _post(self, page: Page, path: str, body: Any) -> Any:
        cookies = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}
        headers = {"X-CSRFToken": cookies.get("csrftoken", ""), "Referer": self.url}
        reply = page.request.post(f"{self.url}{path}", data=body, headers=headers)
        if not reply.ok:
            raise SystemExit(f"Label Studio, {path}: {reply.status} {reply.text()[:500]}")
        return reply.json()

    def review(self, page: Page, slides: Slides, number: int, n_tasks: int) -> Count:
        """Go through the first tasks of the stream: correct where wrong, submit each."""
        what = "all cells" if n_tasks == len(slides.truth) else "doubtful cells"
        count = Count(f"Label Studio, {what}, no signature")
        hotkey = dict(zip(WBCBENCH.codes, HOTKEYS, strict=False))
        count.watch(page)
        page.goto(f"{self.url}projects/{number}/data?labeling=1")
        before = None
        for _ in range(n_tasks):
            before = self._shown(page, before)
            if before in slides.wrong:
                count.press(page, hotkey[slides.truth[before]])
            self._submit(page, count)
        count.end(page)
        return count

    def _shown(self, page: Page, before: str | None) -> str:
        """Name of the cell after `before`, once it can be labelled."""
        script = (
            "(before) => window.Htx?.annotationStore?.selected"
            " && window.Htx.task?.dataObj?.name !== before && window.Htx.task?.dataObj?.name"
        )
        return page.wait_for_function(script, arg=before).json_value()

    def _submit(self, page: Page, count: Count) -> None:
        with page.expect_response(
            lambda reply: "/annotations" in reply.url and reply.request.method == "POST"
        ):
            count.press(page, "Control+Enter")

    def n_right(self, page: Page, slides: Slides, number: int) -> int:
        """Cells whose annotation, else prediction, is the class that was drawn."""
        tasks = page.request.get(
            f"{self.url}api/projects/{number}/export?exportType=JSON&download_all_tasks=true"
        ).json()
        labels = dict(pd.read_csv(slides.predictions)[["cell_id", "label"]].to_numpy().tolist())
        for task in tasks:
            for annotation in task["annotations"]:
                (choice,) = annotation["result"]
                labels[task["data"]["name"]] = choice["value"]["choices"][0]
        return sum(labels[name] == code for name, code in slides.truth.items())


def with_label_studio(browser: Any, slides: Slides, venv: Path, folder: Path) -> list[Count]:
    """Only the doubtful cells, and all of them."""
    studio = LabelStudio(venv, folder)
    counts = []
    with serving(studio.command, f"{studio.url}health", folder / "ls.log", studio.env):
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(60_000)
        studio.log_in(page)
        for n_tasks in (N_WRONG, len(slides.truth)):
            number = studio.fill(page, slides)
            count = studio.review(page, slides, number, n_tasks)
            count.n_right = studio.n_right(page, slides, number)
            print(count, flush=True)
            counts.append(count)
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--label-studio", type=Path, help="virtual environment that has it")
    parser.add_argument("--out", type=Path, required=True, help="folder of the table")
    options = parser.parse_args()
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        slides = render_slides(folder / "slides", {"S-1": COUNTS}, N_WRONG, SEED)
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        counts = [with_buffycoat(page, slides, folder)]
        if options.label_studio:
            counts += with_label_studio(browser, slides, options.label_studio, folder)
        browser.close()
    table = pd.DataFrame([count.row() for count in counts])
    options.out.mkdir(parents=True, exist_ok=True)
    table.to_csv(options.out / "review_time.csv", index=False)
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
