"""The whole guide: every page is read and rendered once."""

from functools import cached_property
from threading import Lock

from reward_gateway.errors import NotFound
from reward_gateway.operations.registry import catalog
from reward_gateway.pages.html import Html, el
from reward_gateway.recipes.book import RecipeBook

from .assets import GuideAssets
from .contents import Contents, GuidePage, read_contents
from .layout import render_cards, render_layout, render_neighbours
from .markdown import Document, render_markdown
from .search import list_operations, list_passages, write_index
from .site import Place


class Guide:
    """The guide, for one place that it is served at.

    Args:
        files: write links for a folder of files instead of a server.
        root_path: where a proxy serves the gateway; links begin with it.
        console: the gateway has one.
    """

    def __init__(
        self, contents: Contents | None = None, *, files: bool = False, root_path: str = "", console: bool = True
    ) -> None:
        self.contents = contents or read_contents()
        self.assets = GuideAssets()
        self._files = files
        self._root_path = root_path
        self._console = console
        self._rendered: dict[str, Html] = {}
        self._reading = Lock()

    def place(self, path: str) -> Place:
        """The position of a page."""
        return Place(path, self._files, self._root_path, self.assets.digest, self._console)

    @cached_property
    def documents(self) -> dict[str, Document]:
        """Path -> what its page holds. The first use reads all of them: the navigation names every page."""
        with self._reading:
            return {page.path: render_markdown(page, self.place(page.path), self.contents) for page in self.contents}

    def render_page(self, path: str) -> Html:
        """Render the page at a path.

        Raises:
            NotFound: there is no page at this path.
        """
        if path not in self._rendered:
            page = self.contents.by_path.get(path)
            if page is None:
                raise NotFound("there is no such page; /docs/guide/ lists them")
            self._rendered[path] = self._render(page)
        return self._rendered[path]

    def render_missing(self) -> Html:
        """What is shown where there is no page."""
        place = self.place("")
        text = el(
            "p",
            "There is no page at this address. Search for it above, or ",
            el("a", "start at the first page", href=place.link_to("")),
            ".",
        )
        return render_layout(place, self.contents, "Page not found", el("h1", "Page not found"), text)

    def write_index(self, book: RecipeBook) -> str:
        """The index of the search, as a script."""
        home = self.place("")
        passages = list_passages(self.contents, self.documents.values(), home)
        return write_index([*passages, *list_operations(catalog(), book, home)])

    def _render(self, page: GuidePage) -> Html:
        place, document = self.place(page.path), self.documents[page.path]
        more = render_cards(place, self.contents) if page is self.contents.home else None
        return render_layout(
            place,
            self.contents,
            page.title,
            el("article", document.html, more),
            render_neighbours(place, self.contents, page),
            page=page,
            headings=document.headings,
        )
