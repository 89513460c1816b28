"""A page as a browser reads it."""

import re
from html.parser import HTMLParser


class Page(HTMLParser):
    """Text and attributes of a page.

    Attributes:
        html: as it was written.
        tags: name and attributes of each tag that opens, in order.
        text: what stands between tags.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def alts(self) -> list[str]:
        """What the images show."""
        return [str(attributes["alt"]) for tag, attributes in self.tags if tag == "img"]

    def headings(self) -> list[str | None]:
        """The names of the sections."""
        return [attributes.get("id") for tag, attributes in self.tags if tag == "h2"]

    def items(self) -> list[str]:
        """The text of each list item, in one line."""
        return [_line(part) for part in re.findall(r"<li[ >].*?</li>", self.html, re.DOTALL)]

    def figures(self) -> list[str]:
        """The figures on top."""
        return [_line(part.replace("</b>", " ")) for part in re.findall(r'<div class="figure">.*?</div>', self.html)]

    def rows(self) -> list[list[str]]:
        """The text of each cell of each row of all tables."""
        return [
            [_line(cell) for cell in re.findall(r"<t[dh][ >].*?</t[dh]>", row, re.DOTALL)]
            for row in re.findall(r"<tr[ >].*?</tr>", self.html, re.DOTALL)
        ]

    def needs_nothing_beside_itself(self) -> bool:
        """Whether no tag runs anything or asks for anything that is not inside the page."""
        for tag, attributes in self.tags:
            if tag in {"script", "link", "iframe", "form", "object", "embed", "base"}:
                return False
            if any(name.startswith("on") for name in attributes):
                return False
            if not (attributes.get("src") or "data:").startswith("data:"):
                return False
            if not (attributes.get("href") or "#").startswith("#"):
                return False
        return "url(" not in re.sub(r'src="data:[^"]*"', "", self.html) and "@import" not in self.html


def _line(html: str) -> str:
    """The text of a part of a page in one line."""
    return " ".join(Page(html).text.split())
