"""Text that fits a sidebar: lines of a width, times, sentences cut with an ellipsis."""
import unicodedata

WIDTH = 31                                      # characters a line at the default width of a sidebar, beside an icon
DEFAULT_PIXELS, PIXELS_A_CHARACTER = 280, 6.9   # of the interface's own font at a scale of 1


def columns(context):
    """Characters that a line of the region holds; those of the default width where there is no region."""
    region = getattr(context, "region", None)
    if region is None or region.width <= 1:
        return WIDTH
    pixels = region.width / context.preferences.system.ui_scale
    return max(WIDTH - 8, WIDTH + int((pixels - DEFAULT_PIXELS) / PIXELS_A_CHARACTER))


def cells(text):
    """Width of a text in characters of Latin script: Chinese and Japanese characters count twice."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def wrap(text, width=WIDTH):
    """Lines of at most `width` characters; words that are too long (paths, scripts without spaces) are cut."""
    lines, line = [], ""
    for word in text.split():
        while cells(word) > width:
            head = _head(word, width)
            lines, line, word = lines + ([line] if line else []) + [head], "", word[len(head):]
        if line and cells(line) + 1 + cells(word) > width:
            lines, line = lines + [line], word
        else:
            line = f"{line} {word}".strip()
    return lines + ([line] if line else [])


def _head(word, width):
    """The beginning of a word that is `width` wide, at least a character."""
    end = 1
    while end < len(word) and cells(word[:end + 1]) <= width:
        end += 1
    return word[:end]


def clock(seconds):
    """Seconds left as `12 s` or `3:05`."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def sentence(layout, context, text, icon="NONE", width=None):
    """A sentence in as many labels as it needs, the icon before the first."""
    for number, line in enumerate(wrap(text, width or columns(context))):
        layout.label(text=line, icon=icon if number == 0 else "BLANK1", translate=False)
