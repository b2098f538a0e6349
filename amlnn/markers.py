"""Parts of a page that a command writes anew, between two comments that name them."""

import re

__all__ = ['between_markers']


def between_markers(text: str, name: str, content: str) -> str | None:
    """A page with other content between the markers of a name; None where it has none.

    >>> between_markers('<!-- a: begin (make a) -->\\nold\\n<!-- a: end -->', 'a', 'new')
    '<!-- a: begin (make a) -->\\n\\nnew\\n\\n<!-- a: end -->'
    """
    found, count = re.subn(rf'(<!-- {name}: begin[^>]*-->\n).*?(<!-- {name}: end -->)',
                           lambda match: f'{match[1]}\n{content}\n\n{match[2]}', text,
                           flags=re.DOTALL)
    return found if count else None
