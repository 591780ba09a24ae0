"""A layout that notes what a panel draws: names in order, and the width that its texts need."""
import blf
import bpy

SIDEBAR = 280                   # pixels: Blender's own default
CONTENT = SIDEBAR - 20 - 24     # without the strip of tabs and the panel's margins
NESTED = 8                      # pixels that a panel within a panel loses
ICON, PADDING, ARROW = 20, 8, 16
LABELS = 0.4                    # share of the labels where properties are split


def pixels(text):
    """Width of a text in the interface's font at a scale of 1."""
    blf.size(0, 11)
    return blf.dimensions(0, text)[0]


LANGUAGE = {}                   # {English: translation} that is drawn; empty: English
SAID = set()                    # what was asked for


def say(text):
    """A text as it is drawn."""
    SAID.add(text)
    return LANGUAGE.get(text, text)


class Note:
    """One thing drawn. kind: prop, operator, label, list...; name: of the property or operator; need: pixels."""

    def __init__(self, kind, name, text, need, row):
        self.kind, self.name, self.text, self.need, self.row = kind, name, text, need, row


class Layout:
    """Stands in for `UILayout`. notes: everything drawn, in order; cut: texts that need more than they have."""

    def __init__(self, width=CONTENT, notes=None, cut=None, split=False, horizontal=False):
        self.width, self.horizontal = width, horizontal
        self.notes, self.cut = [] if notes is None else notes, [] if cut is None else cut
        self.use_property_split, self.use_property_decorate = split, False
        self.enabled = self.alert = self.active = True
        self.scale_y, self.scale_x, self.alignment, self.ui_units_x = 1.0, 1.0, "EXPAND", 0.0
        self.pointers = {}      # what polls are told besides the context
        self.children = []      # widths that the things in this row need

    def names(self, *kinds):
        """Names in order, of these kinds or of all."""
        return [note.name for note in self.notes if not kinds or note.kind in kinds]

    def texts(self):
        return [note.text for note in self.notes if note.text]

    # --- what panels call ---

    def row(self, **_options):
        return self._inner(True)

    def column(self, **_options):
        return self._inner(False)

    def box(self):
        return self._inner(False, 10)

    def split(self, factor=0.5, **_options):
        split = Split(self.width, self.notes, self.cut, self.use_property_split)
        split.factor = factor
        return split

    def _inner(self, horizontal, less=0):
        return Layout(self.width - less, self.notes, self.cut, self.use_property_split, horizontal)

    def context_pointer_set(self, name, data):
        self.pointers[name] = data

    def separator(self, **_options):
        self._note("separator", "", "", 4)

    def panel(self, _identifier, **_options):
        return self._inner(True), self._inner(False)

    def label(self, *, text="", icon="NONE", translate=True, **_options):
        text = say(text) if translate else text
        self._note("label", "", text, pixels(text) + (ICON if icon != "NONE" else 0))

    def operator(self, name, *, text=None, icon="NONE", **_options):
        module, _, function = name.partition(".")
        kind = getattr(getattr(bpy.ops, module), function).get_rna_type()
        shown = kind.name if text is None else text
        shown = say(shown)
        need = (pixels(shown) + PADDING if shown else 0) + (ICON if icon != "NONE" or not shown else 0)
        self._note("operator", name, shown, need)
        return type("Properties", (), {})()

    def popover(self, name, *, text="", icon="NONE", **_options):
        self._note("popover", name, text, ICON + pixels(text))

    def progress(self, *, text="", **_options):
        self._note("progress", "", text, pixels(text) + PADDING)

    def template_list(self, kind, identifier, *_arguments, rows=5, **_options):
        self._note("list", kind, "", 0)

    def prop(self, data, name, *, text=None, icon="NONE", placeholder="", emboss=True, **_options):
        prop = data.bl_rna.properties[name]
        shown = say(prop.name if text is None else text)
        items = prop.enum_items if prop.type == "ENUM" else ()
        values = [say(item.name) for item in items]
        more = max([pixels(value) for value in values] + [pixels(placeholder) * 0.0], default=0.0) + PADDING + ARROW
        if self.use_property_split and shown:
            if prop.type == "BOOLEAN":
                self._check(shown, pixels(shown) + ICON, self.width * (1 - LABELS))
            else:
                self._check(shown, pixels(shown) + 6, self.width * LABELS)
                for value in values:
                    self._check(value, pixels(value) + PADDING + ARROW, self.width * (1 - LABELS))
            self.notes.append(Note("prop", name, shown, 0, self))
            return
        need = more if prop.type == "ENUM" else pixels(shown) + PADDING + ICON
        self._note("prop", name, shown, need)

    def prop_search(self, data, name, _where, _what, *, text=None, icon="NONE", **_options):
        shown = say(text or "")
        if self.use_property_split and shown:
            self._check(shown, pixels(shown) + 6, self.width * LABELS)
        self._note("prop", name, shown, ICON * 3)

    prop_menu_enum = prop

    def _note(self, kind, name, text, need):
        self.notes.append(Note(kind, name, text, need, self))
        if not self.horizontal:
            self._check(text or name, need, self.width)
            return
        self.children.append(need)
        self._check(text or name, sum(self.children), self.width)

    def _check(self, text, need, width):
        if need > width + 0.5:
            self.cut.append(f"{text!r} needs {need:.0f} of {width:.0f} pixels")


class Split(Layout):
    """The parts of a split, one after the other."""

    factor, _first = 0.5, True

    def _inner(self, horizontal, less=0):
        inner = super()._inner(horizontal, less)
        inner.width = self._share()
        return inner

    def _share(self):
        share = self.factor if self._first else 1 - self.factor
        self._first = False
        return self.width * share

    def _note(self, kind, name, text, need):
        self.notes.append(Note(kind, name, text, need, self))
        self._check(text or name, need, self._share())


def draw(cls, context=None, nested=False):
    """The `Layout` after a panel class has drawn; None where it is not drawn now."""
    context = context or bpy.context
    if hasattr(cls, "poll") and not cls.poll(context):
        return None
    names = ("direction", "system", "bl_label")
    layout = Layout(CONTENT - (NESTED if nested else 0))
    attributes = {name: getattr(cls, name, None) for name in names}
    type("Drawn", (), {"draw": cls.draw, "layout": layout, **attributes})().draw(context)
    return layout
