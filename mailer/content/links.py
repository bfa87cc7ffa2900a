"""Which links of a compiled mail its author wrote, and so may be counted."""

from __future__ import annotations

import re
from html import unescape

AUTHORS_LINK = re.compile(r'(<a\b[^>]*?\shref=")(https?://[^"{}<>\s]+)(")', re.IGNORECASE)
"""A link to the web with nothing of Jinja2 in it.

Our own links (view, manage, unsubscribe) begin with a variable, and so are none of these.
"""


def links_in(html: str) -> tuple[str, ...]:
    """The addresses that a mail's HTML template links to, each once, in the order they stand in it.

    Links whose address has a variable in it are left out: it may be different for every reader.
    """
    return tuple(dict.fromkeys(unescape(found[2]) for found in AUTHORS_LINK.finditer(html)))
