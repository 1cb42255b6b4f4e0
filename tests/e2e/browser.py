"""A browser as an operator has one: Debian's Chromium, headless, watched for errors and for requests to elsewhere."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.programs import require_program

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 20_000  # milliseconds
PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 900}
# Of every text its contrast with what is behind it (WCAG 2.2, 1.4.3), where it is less than is asked for.
LOW_CONTRAST = """() => {
    const parse = (text) => text.match(/[\\d.]+/g).map(Number);
    const channel = (value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
    const behind = (element) => {
        for (; element; element = element.parentElement) {
            const colour = parse(getComputedStyle(element).backgroundColor);
            if (colour.length < 4 || colour[3] === 1) return colour;
        }
        return [255, 255, 255];
    };
    const low = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        if (!walker.currentNode.textContent.trim() || !element.checkVisibility() || element.closest("script")) continue;
        const style = getComputedStyle(element);
        const [one, two] = [luminance(parse(style.color)), luminance(behind(element))].sort((a, b) => b - a);
        const ratio = (one + 0.05) / (two + 0.05);
        const size = parseFloat(style.fontSize);
        const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
        if (ratio < (large ? 3 : 4.5)) low.push(`${walker.currentNode.textContent.trim()}: ${ratio.toFixed(2)}`);
    }
    return low;
}"""
# Fields without a label, tables without a caption, buttons without a name, more or fewer than one first heading.
UNNAMED = """() => [
    ...[...document.querySelectorAll("input:not([type=hidden]), select, textarea")].filter((one) => !one.labels.length),
    ...[...document.querySelectorAll("table")].filter((one) => !one.caption),
    ...[...document.querySelectorAll("button")].filter((one) => !one.textContent.trim()),
    ...[...document.querySelectorAll("svg[role=img]")].filter((one) => !one.getAttribute("aria-label")),
    ...[document.querySelectorAll("h1").length === 1 ? [] : document.body].flat(),
].map((one) => one.outerHTML.slice(0, 200))"""


@dataclass(slots=True)
class Operator:
    """Somebody before a browser. `errors` is what the browser complained of, `strangers` the hosts it asked besides."""

    base: str
    page: Page
    context: BrowserContext
    errors: list[str] = field(default_factory=list)
    strangers: set[str] = field(default_factory=set)

    def open(self, path: str) -> Page:
        """Go to a page of the console."""
        answer = self.page.goto(self.base + path)
        assert answer is not None
        assert answer.ok, f"{path}: {answer.status}"
        return self.page

    def sign_in(self, token: str, path: str = "/") -> Page:
        """Sign in as a person does, and go on to where one wanted to go."""
        self.page.goto(self.base + path)
        self.page.get_by_label("Token").fill(token)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(self.base + path)
        return self.page

    def overflows(self) -> bool:
        """Tell whether the page is wider than the window."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))


@contextmanager
def run_browser() -> Iterator[Browser]:
    """Run a browser with an empty profile until the block ends; skip the test where there is none."""
    program = require_program("chromium", "chromium")
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, headless=True, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def sit_down(browser: Browser, facts: Mapping[str, str], **settings: Any) -> Iterator[Operator]:  # noqa: ANN401 - playwright's
    """Open a window of its own; at the end nothing may have gone wrong in it, and nobody else been asked."""
    with browser.new_context(**({"viewport": DESK} | settings)) as context:
        context.set_default_timeout(PATIENCE)
        operator = Operator(facts["CONSOLE_URL"], context.new_page(), context)
        operator.page.on("pageerror", lambda error: operator.errors.append(str(error)))
        operator.page.on("console", lambda said: operator.errors.append(said.text) if said.type == "error" else None)
        own = urlsplit(operator.base).netloc
        context.on(
            "request",
            lambda request: operator.strangers.add(request.url) if urlsplit(request.url).netloc != own else None,
        )
        yield operator
        assert operator.errors == []
        assert operator.strangers == set()
