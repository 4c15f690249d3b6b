"""The report as a reader meets it: opened from disk in Chromium, on a desk and on a phone."""

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address(report, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(report, encoding="utf-8")
    return path.as_uri()


@pytest.fixture(scope="module", params=[1280, 390])
def opened(request, open_page, address):
    return open_page(address, request.param)


@pytest.fixture
def page(opened):
    return opened.page


def test_nothing_is_asked_of_the_network(opened, address):
    assert [url for url in opened.asked if not url.startswith("data:")] == [address]


def test_the_console_is_silent(opened):
    assert opened.said == []


def test_every_figure_is_drawn_and_wide_enough_to_see(page):
    sizes = page.evaluate("[...document.images].map(i => [i.naturalWidth, i.getBoundingClientRect().width, i.alt])")
    assert len(sizes) > 20
    assert all(natural > 0 and shown >= 100 and alt for natural, shown, alt in sizes)


def test_nothing_sticks_out_of_the_window(page):
    assert page.evaluate("document.documentElement.scrollWidth") == page.viewport_size["width"]


def test_every_link_leads_to_a_section(page):
    targets = page.evaluate("[...document.querySelectorAll('nav a')].map(a => !!document.querySelector(a.hash))")
    assert len(targets) == 14
    assert all(targets)


def test_text_is_large_enough_to_read(page):
    smallest = page.evaluate(
        "Math.min(...[...document.querySelectorAll('p, li, td, dd, figcaption')]"
        ".map(e => parseFloat(getComputedStyle(e).fontSize)))"
    )
    assert smallest >= 12


def test_it_can_be_printed(page):
    assert len(page.pdf()) > 100_000
