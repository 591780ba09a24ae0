"""Text of motion files as people's programs write it: byte order marks, UTF-16, old code pages, decimal commas, glued
numbers."""
import re

from core.errors import BadInput

CODE_PAGES = ("utf-8", "shift_jis", "cp1252", "latin-1")
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\Z")
GLUED = re.compile(r"(?<=[0-9.])(?=[-+](?:\d|\.\d))")
NOT_A_NUMBER = re.compile(r"[-+]?(?:nan|inf|infinity|\d*\.?#(?:IND|INF|QNAN|SNAN)\w*|1\.#\w+)(?:\(\w*\))?\Z",
                          re.IGNORECASE)
PLAIN_SIGNS = {0: " ", 0x2212: "-", 0x2013: "-", 0xFF0D: "-"}          # NUL, and minus signs of word processors
MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe\x00\x00", "utf-32-le"), (b"\xff\xfe", "utf-16-le"),
         (b"\xfe\xff", "utf-16-be"))


def decode(data, name):
    """bytes -> text with plain line ends. Raises BadInput where the bytes are no text at all."""
    encoding = next((encoding for mark, encoding in MARKS if data.startswith(mark)), None)
    if encoding is not None:
        data = data[len(next(mark for mark, _ in MARKS if data.startswith(mark))):]
    elif len(data) > 3 and data[1:2] == b"\0" and data[3:4] == b"\0":          # UTF-16 whose mark was lost
        encoding = "utf-16-le"
    elif len(data) > 3 and data[0:1] == b"\0" and data[2:3] == b"\0":
        encoding = "utf-16-be"
    for page in (encoding,) if encoding else CODE_PAGES:
        try:
            text = data.decode(page)
        except UnicodeDecodeError:
            continue
        return text.replace("\r\n", "\n").replace("\r", "\n").translate(PLAIN_SIGNS)
    raise BadInput(f"{name} is no text that can be read; export it again as plain UTF-8.")


def words_of(line):
    """The words of a line of numbers: semicolons as separators, commas too where it has points, as decimal commas
    where it has none, and numbers that stick together by their signs taken apart."""
    if re.search(r"\d\s*;", line):
        if re.search(r"\d,\d", line) and "." not in line:
            line = line.replace(",", ".")
        line = line.replace(";", " ")
    if "," in line:
        if "." in line or re.search(r"\d,\s", line) or re.search(r"\d,\d+,\d", line):
            line = line.replace(",", " ")
        else:
            line = line.replace(",", ".")
    words = []
    for word in line.split():
        words += [word] if NUMBER.match(word) or NOT_A_NUMBER.match(word) else GLUED.sub(" ",
                                                                                         _keep_exponents(word)).split()
    return [word.replace("\1", "e-").replace("\2", "e+") for word in words]


def _keep_exponents(word):
    """The signs of exponents hidden, so that they are not taken for the start of a number."""
    return re.sub(r"(?<=\d)[eE]\+(?=\d)", "\2", re.sub(r"(?<=\d)[eE]-(?=\d)", "\1", word))


def number(word):
    """float of a word, NaN where it says that it is none, None where it is no number."""
    if NUMBER.match(word):
        return float(word)
    return float("nan") if NOT_A_NUMBER.match(word) else None
