"""The rule with which every learned dance is compared: real moves put together on the song's beats, nothing trained."""
from models.repertoire.phrases import Book
from models.repertoire.pipeline import MyMoves

STYLE_OF = {"break": "breakdance", "rokoko": "freestyle"}       # a capture's style as the shipped moves call it


class RuleDancer(MyMoves):
    """`MyMoves` without the recordings that evaluations leave out.

    draw: False leaves beats where the body's steady grid has them, whatever the body does there.
    """

    draw = True

    @classmethod
    def load(cls, folders=None, device="cpu", draw=True):
        """The shipped (or `folders`') moves of recordings that may be trained on. Raises NoCheckpoint."""
        dancer = super().load(folders, device)
        dancer.library, dancer.draw = dancer.library.of(split="train"), draw
        return dancer

    def _book(self, library, metre):
        key = id(library), metre
        if key not in self._books:
            self._books[key] = library, Book(library, metre, self.draw)
        return self._books[key][1]

    def danced(self, pieces, beats, seed=100, **options):
        """One dance a piece (with `audio`); beats: a `Beats` or None each."""
        return [self.generate(piece.audio, beats=given, seed=seed + number, **options)[0]
                for number, (piece, given) in enumerate(zip(pieces, beats))]

    def style(self, capture):
        """The style of these moves that a capture's style is, or None where they have none."""
        name = STYLE_OF.get(capture, capture)
        return name if name in self.library.styles else None
