"""Links out of docs/ work in the repository; the site, which has no such files, names the file instead."""

import re
from typing import Any, Final

_OUT_OF_DOCS: Final = re.compile(r"(!?)\[([^\]]*)\]\((?:\.\./)+((?!methods/)[^)#]+)[^)]*\)")


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The page with links like `../reports/x.md` turned into `x (reports/x.md in the repository)`."""
    climbs = page.file.src_uri.count("/") + 1

    def absolute(link: re.Match[str]) -> str:
        outside = link[0].partition("](")[2].count("../") >= climbs
        return f"{link[2]} (`{link[3]}` in the repository)" if outside else link[0]

    return _OUT_OF_DOCS.sub(absolute, markdown)
