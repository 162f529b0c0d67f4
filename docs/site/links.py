"""Check a built site: every internal link, anchor, picture and script exists, and nothing is loaded from elsewhere."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {("img", "src"), ("script", "src"), ("link", "href"), ("iframe", "src"), ("source", "srcset")}


class Page(HTMLParser):
    """The anchors and links of one page.

    Attributes:
        anchors: Ids that a link can point to.
        links: Targets as they are written.
        loaded: Targets that a browser fetches when it opens the page.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the ids, the links and what the tag loads."""
        for name, value in attrs:
            if not value:
                continue
            if name == "id" or (tag == "a" and name == "name"):
                self.anchors.add(value)
            elif (tag, name) in LOADED:
                self.loaded.add(value)
            elif (tag, name) == ("a", "href"):
                self.links.add(value)


def problems(site: Path) -> list[str]:
    """Return one line for each dead link, dead anchor and request to another host in the HTML files below `site`."""
    pages = {path.resolve(): Page(path.read_text()) for path in sorted(site.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        name = path.relative_to(site.resolve())
        for target in sorted(page.links | page.loaded):
            url = urlsplit(target)
            if url.scheme or url.netloc:
                if target in page.loaded and url.scheme != "data":
                    found.append(f"{name} loads {target}")
                continue
            file = (path.parent / unquote(url.path)).resolve() if url.path else path
            if url.path.startswith("/"):  # only the 404 page, which may be served at any depth
                file = (site / unquote(url.path).lstrip("/")).resolve()
            if file.is_dir():
                file /= "index.html"
            if not file.is_file():
                found.append(f"{name} links to {target}, which does not exist")
            elif url.fragment and file in pages and unquote(url.fragment) not in pages[file].anchors:
                found.append(f"{name} links to {target}, which has no such anchor")
    return found
