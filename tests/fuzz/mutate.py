"""Broken files out of good ones: bytes, lines, fields, tokens, archives. The same seed and number give the same bytes."""

from __future__ import annotations

import io
import random
import re
import warnings
import zipfile
from collections.abc import Callable, Sequence

#: What has broken parsers before: extremes of numbers and dates, marks of other formats, letters that are not letters.
TOKENS = tuple(
    token.encode("utf-8", "surrogatepass") if isinstance(token, str) else token
    for token in (
        "", " ", "0", "-0", "-1", "00000000", "1e400", "-1e400", "1E+30", "NaN", "inf", "-Infinity", "0x10", "1_000", "1,5", "1.2.3",
        "99999999999999999999999999999999999999999", "0.00000000000000000000000000000000001", "9223372036854775808",
        "\u0661\u0662", "\uff11\uff12", "\u00b2", "2024-02-30", "0000-00-00", "9999-12-31", "99999-01-01", "31/12/2024", "29.Feb.23",
        "31.Jun.99", "2024-13", "1900-01-00", "24:00:00", "2024-12-31T23:59:60Z", '"', "'", '""', '";"', "\\", "|", "||||", ";", ",",
        "\t", "\r", "\n", "\r\n", "\v", "\f", "\0", "\x1a", "\x1b[0m", "\x1c", "\x85", "\u2028", "\ufeff", "\u202e", "\ufffd",
        "\ud800", "\\ud800", "\\u0000", "\U0001f4a3", "a\u0301", "\u0130", "\u1e9e", "=1+1", "@SUM(A1)", "-2+3", "A" * 5000, "9" * 400,
        "null", "true", "[]", "{}", "[[[[[[", "]]", "{\"a\":", "<", "</", "<a/>", "&#0;", "&#x110000;", "&amp;", "&nope;", "]]>",
        "<![CDATA[", "<!--", "<?xml version='1.0'?>", "<!DOCTYPE a [<!ENTITY b 'c'>]>", "xmlns:cbc='urn:x'", "xsi:nil='true'",
        "'; DROP TABLE x; --", "../../etc/passwd", "10000000003", "20505310072", "%s%n", "{0}", "$(id)",
        b"\x80", b"\xff\xfe", b"\xc3\x28", b"\xed\xa0\x80", b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"\x1f\x8b",
    )
)  # fmt: skip
_FIELD = re.compile(rb"[^\r\n,;|\t<>\"{}\[\]:]+")
ENCODINGS = ("utf-16", "utf-16-le", "utf-32", "latin-1", "cp1252", "cp037", "utf-7", "utf-8-sig")


class Mutator:
    """Mutations of one file, drawn by one random generator."""

    def __init__(self, rng: random.Random, others: Sequence[bytes]):
        self._rng, self._others = rng, others

    def mutate(self, data: bytes) -> bytes:
        """One to four mutations; an archive is opened for most of them and packed anew."""
        if data[:2] == b"PK" and self._rng.random() < 0.7:
            return self._archive(data)
        for _ in range(self._rng.choice((1, 1, 1, 2, 2, 3, 4))):
            data = self._rng.choice(self._PLAIN)(self, data)
        return data

    def _at(self, data: bytes) -> int:
        return self._rng.randint(0, len(data))

    def _span(self, data: bytes, most: int = 400) -> slice:
        start = self._at(data)
        return slice(start, min(len(data), start + self._rng.randint(1, most)))

    def flip_bits(self, data: bytes) -> bytes:
        changed = bytearray(data)
        for _ in range(self._rng.choice((1, 1, 2, 8, 64))):
            if changed:
                changed[self._rng.randrange(len(changed))] ^= 1 << self._rng.randrange(8)
        return bytes(changed)

    def random_bytes(self, data: bytes) -> bytes:
        at = self._at(data)
        return (
            data[:at] + self._rng.randbytes(self._rng.choice((1, 2, 4, 64))) + data[at + self._rng.choice((0, 1, 4)) :]
        )

    def truncate(self, data: bytes) -> bytes:
        return data[: self._at(data)] if self._rng.random() < 0.7 else data[self._at(data) :]

    def remove(self, data: bytes) -> bytes:
        gone = self._span(data)
        return data[: gone.start] + data[gone.stop :]

    def repeat(self, data: bytes) -> bytes:
        chunk = self._span(data)
        times = self._rng.choice((1, 1, 2, 50))
        return data[: chunk.stop] + data[chunk] * times + data[chunk.stop :]

    def splice(self, data: bytes) -> bytes:
        other = self._rng.choice(self._others)
        return data[: self._at(data)] + other[self._at(other) :][:200_000]

    def insert_token(self, data: bytes) -> bytes:
        at = self._at(data)
        return data[:at] + self._rng.choice(TOKENS) + data[at:]

    def replace_field(self, data: bytes) -> bytes:
        """Another value, or that of another field, in place of one or of each that is spelled alike."""
        start = self._at(data)
        found = _FIELD.search(data, start) or _FIELD.search(data)
        if not found:
            return self._rng.choice(TOKENS)
        token = self._rng.choice(TOKENS)
        if self._rng.random() < 0.2 and (other := _FIELD.search(data, self._at(data))):
            token = other[0]
        if self._rng.random() < 0.1:
            return data.replace(found[0], token, 2000)
        return data[: found.start()] + token + data[found.end() :]

    def shuffle_lines(self, data: bytes) -> bytes:
        lines = data.splitlines(keepends=True)[:5000]
        if len(lines) < 2:
            return data
        a, b = self._rng.randrange(len(lines)), self._rng.randrange(len(lines))
        choice = self._rng.randrange(4)
        if choice == 0:
            lines[a], lines[b] = lines[b], lines[a]
        elif choice == 1:
            del lines[a]
        elif choice == 2:
            lines.insert(b, lines[a])
        else:
            lines[a] = lines[a].rstrip(b"\r\n") + self._rng.choice((b"", b"\r", b"\n\n", b"\r\r\n", b"\x85"))
        return b"".join(lines)

    def quotes(self, data: bytes) -> bytes:
        changed = bytearray(data)
        for _ in range(self._rng.choice((1, 2, 5))):
            changed.insert(self._rng.randint(0, len(changed)), self._rng.choice(b'"\'"<&'))
        return bytes(changed)

    def separators(self, data: bytes) -> bytes:
        old, new = self._rng.choice(b',;|\t>".'), self._rng.choice(b',;|\t \0".')
        return data.replace(bytes([old]), bytes([new]), self._rng.choice((1, 7, -1)))

    def encode(self, data: bytes) -> bytes:
        text = data.decode("utf-8", "replace")
        return text.encode(self._rng.choice(ENCODINGS), "replace")

    _PLAIN: tuple[Callable[[Mutator, bytes], bytes], ...] = (
        flip_bits, random_bytes, truncate, remove, repeat, splice, insert_token, replace_field, replace_field, replace_field,
        shuffle_lines, quotes, separators, encode,
    )  # fmt: skip

    def _archive(self, data: bytes) -> bytes:
        """The archive with one of its members, its list or its marks changed; what cannot be opened is changed as bytes."""
        rng = self._rng
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                members = [(m.filename, archive.read(m)) for m in archive.infolist()]
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError):
            return self.flip_bits(data)
        at = rng.randrange(len(members)) if members else 0
        game = rng.randrange(10)
        if members and game < 6:
            name, content = members[at]
            for _ in range(rng.choice((1, 1, 2, 3))):
                content = rng.choice(self._PLAIN)(self, content)
            members[at] = (name, content)
        elif members and game == 6:
            members.insert(rng.randint(0, len(members)), members[at])
        elif members and game == 7:
            name = rng.choice(
                ("../x", "/x", "C:\\x", "a/", "x" * 300, "\u0416.xml", members[0][0].upper(), "x.XML", ".xml")
            )
            members[at] = (name, members[at][1])
        elif members and game == 8:
            del members[at]
        else:
            members.append((f"{len(members)}.xml", rng.choice(self._others)[:100_000]))
        kind = rng.choice(
            (zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
        )
        packed = io.BytesIO()
        with warnings.catch_warnings(), zipfile.ZipFile(packed, "w", kind) as archive:
            warnings.simplefilter("ignore")  # the same name twice
            for name, content in members:
                archive.writestr(name, content)
        made = packed.getvalue()
        if rng.random() < 0.15:  # a wrong size, sum or flag in a header
            made = self.flip_bits(made[: len(made) // 2]) + self.flip_bits(made[len(made) // 2 :])
        return made
