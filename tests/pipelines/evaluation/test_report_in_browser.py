"""The report as a reader meets it: opened from disk in Chromium, on a desk and on a phone."""

import importlib.util
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

_spec = importlib.util.spec_from_file_location("browser", Path(__file__).parents[2] / "browser.py")
browser_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(browser_module)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    assert browser_module.CHROMIUM, "Chromium is missing: apt-get install chromium"
    with browser_module.Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="module", params=[1280, 390])
def page(request, browser, report, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(report, encoding="utf-8")
    browser.open(path.as_uri(), request.param)
    browser.width = request.param
    browser.address = path.as_uri()
    return browser


def test_nothing_is_asked_of_the_network(page):
    asked = [e["params"]["request"]["url"] for e in page.events if e["method"] == "Network.requestWillBeSent"]
    assert [url for url in asked if not url.startswith("data:")] == [page.address]


def test_the_console_is_silent(page):
    loud = {"Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"}
    assert [event for event in page.events if event["method"] in loud] == []


def test_every_figure_is_drawn_and_wide_enough_to_see(page):
    sizes = page.run("[...document.images].map(i => [i.naturalWidth, i.getBoundingClientRect().width, i.alt])")
    assert len(sizes) > 20
    assert all(natural > 0 and shown >= 100 and alt for natural, shown, alt in sizes)


def test_nothing_sticks_out_of_the_window(page):
    assert page.run("document.documentElement.scrollWidth") == page.width


def test_every_link_leads_to_a_section(page):
    targets = page.run("[...document.querySelectorAll('nav a')].map(a => !!document.querySelector(a.hash))")
    assert len(targets) == 12
    assert all(targets)


def test_text_is_large_enough_to_read(page):
    smallest = page.run(
        "Math.min(...[...document.querySelectorAll('p, li, td, dd, figcaption')]"
        ".map(e => parseFloat(getComputedStyle(e).fontSize)))"
    )
    assert smallest >= 12


def test_it_can_be_printed(page):
    printed = page.ask("Page.printToPDF", printBackground=False)["data"]
    assert len(printed) > 100_000
