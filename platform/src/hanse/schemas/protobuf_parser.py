"""A reader of .proto files (proto2, proto3, editions), after the Protocol Buffers language specifications."""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import NoReturn

from hanse.errors import SchemaError
from hanse.schemas.finding import short
from hanse.schemas.protobuf_model import (
    Option,
    ProtoEnum,
    ProtoExtend,
    ProtoField,
    ProtoFile,
    ProtoMessage,
    ProtoMethod,
    ProtoOneOf,
    ProtoService,
)
from hanse.schemas.text import check_size

MAX_NESTING = 60
_LABELS = {"optional", "required", "repeated"}
_TOKEN = re.compile(
    r"""
    (?P<skip> \s+ | //[^\n]* | /\*.*?\*/ )
  | (?P<text> "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' )
  | (?P<name> [A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)* )
  | (?P<number> \.?[0-9](?:[0-9A-Za-z_.]|(?<=[eE])[+-])* )
  | (?P<symbol> [{}()\[\]<>;,=:.+\-/] )
    """,
    re.VERBOSE | re.DOTALL,
)


def parse_file(text: str) -> ProtoFile:
    """The file that a text declares. Raises SchemaError with line and column."""
    check_size(text)
    return _Parser(text.removeprefix("\ufeff")).file()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str, int]] = []
        self.at = 0
        self.depth = 0
        self.newlines = [match.start() for match in re.finditer("\n", text)]
        self._split()

    def _split(self) -> None:
        position = 0
        while position < len(self.text):
            match = _TOKEN.match(self.text, position)
            if match is None:
                raise self._error("unexpected character", position, self.text[position : position + 20])
            kind = match.lastgroup or ""
            if kind != "skip":
                self.tokens.append((kind, match[0], position))
            position = match.end()

    # -- tokens -------------------------------------------------------------------------------------

    def peek(self, ahead: int = 0) -> str:
        index = self.at + ahead
        return self.tokens[index][1] if index < len(self.tokens) else ""

    def kind(self) -> str:
        return self.tokens[self.at][0] if self.at < len(self.tokens) else "end"

    def next(self) -> str:
        if self.at >= len(self.tokens):
            self.fail("more of the file")
        self.at += 1
        return self.tokens[self.at - 1][1]

    def take(self, text: str) -> bool:
        if self.peek() == text and self.kind() != "text":
            self.at += 1
            return True
        return False

    def expect(self, text: str) -> None:
        if not self.take(text):
            self.fail(repr(text))

    def name(self) -> str:
        dot = "." if self.take(".") else ""
        if self.kind() != "name":
            self.fail("a name")
        return dot + self.next()

    def plain_name(self) -> str:
        if self.kind() != "name" or "." in self.peek():
            self.fail("a name")
        return self.next()

    def string(self) -> str:
        if self.kind() != "text":
            self.fail("a text in quotes")
        parts: list[str] = []
        while self.kind() == "text":
            parts.append(self.next()[1:-1])
        return "".join(parts)

    def integer(self) -> int:
        sign = -1 if self.take("-") else 1
        if self.kind() != "number":
            self.fail("a number")
        text = self.peek()
        try:
            octal = len(text) > 1 and text.startswith("0") and text[1:].isdigit()
            value = int(text, 8 if octal else 0)
        except ValueError:
            self.fail("a whole number")
        self.at += 1
        return sign * value

    def fail(self, expected: str) -> NoReturn:
        position = self.tokens[self.at][2] if self.at < len(self.tokens) else len(self.text)
        raise self._error(f"expected {expected}", position, self.peek() or "the end of the file")

    def _error(self, what: str, position: int, got: str) -> SchemaError:
        line = self.text.count("\n", 0, position) + 1
        column = position - (self.text.rfind("\n", 0, position) + 1) + 1
        return SchemaError(
            f"the .proto file cannot be read: {what}",
            where=f"line {line}, column {column}",
            got=short(got, 60),
        )

    def line(self) -> int:
        position = self.tokens[self.at][2] if self.at < len(self.tokens) else len(self.text)
        return bisect_left(self.newlines, position) + 1

    def enter(self) -> None:
        self.expect("{")
        self.depth += 1
        if self.depth > MAX_NESTING:
            self.fail(f"at most {MAX_NESTING} levels")

    def leave(self) -> bool:
        if self.take("}"):
            self.depth -= 1
            return True
        return False

    # -- file ---------------------------------------------------------------------------------------

    def file(self) -> ProtoFile:
        made = ProtoFile()
        while self.kind() != "end":
            if self.take(";"):
                continue
            word = self.peek()
            if word in {"syntax", "edition"} and self.peek(1) == "=":
                self._syntax(made)
            elif word == "package":
                self.next()
                made.package = self.name()
                self.expect(";")
            elif word == "import":
                self.next()
                modifier = self.next() if self.peek() in {"public", "weak", "option"} else ""
                made.imports.append((self.string(), modifier))
                self.expect(";")
            elif word == "service":
                made.services.append(self.service())
            elif not self._shared(made):
                self.fail("a declaration")
        return made

    def _syntax(self, made: ProtoFile) -> None:
        word = self.next()
        self.expect("=")
        value = self.string()
        if word == "edition":
            made.syntax, made.edition = "editions", value
        elif value in {"proto2", "proto3"}:
            made.syntax = value
        else:
            self.at -= 1
            self.fail("proto2 or proto3")
        self.expect(";")

    def _shared(self, made: ProtoFile | ProtoMessage) -> bool:
        """What may stand in a file and in a message. Not when a field's type is so called."""
        word = self.peek()
        if word == "option":
            self.next()
            made.options.append(self.option())
            self.expect(";")
        elif word in {"message", "enum"} and self.peek(2) == "{":
            self.next()
            if word == "enum":
                made.types.append(self.enum())
            else:
                made.types.append(self.message())
        elif word in {"export", "local"} and self.peek(1) in {"message", "enum"}:
            self.next()
            return self._shared(made)
        elif word == "extend" and (self.peek(2) == "{" or self.peek(1) == "."):
            self.next()
            made.extends.append(self.extend())
        else:
            return False
        return True

    def service(self) -> ProtoService:
        self.next()
        made = ProtoService(self.plain_name())
        self.enter()
        while not self.leave():
            if self.take(";"):
                continue
            if self.take("option"):
                made.options.append(self.option())
                self.expect(";")
            else:
                self.expect("rpc")
                made.methods.append(self.method())
        return made

    def method(self) -> ProtoMethod:
        name = self.plain_name()
        takes_stream, takes = self._message_type()
        self.expect("returns")
        gives_stream, gives = self._message_type()
        options: list[Option] = []
        if self.peek() == "{":
            self.enter()
            while not self.leave():
                if not self.take(";"):
                    self.expect("option")
                    options.append(self.option())
                    self.expect(";")
        else:
            self.expect(";")
        return ProtoMethod(name, takes, gives, takes_stream, gives_stream, tuple(options))

    def _message_type(self) -> tuple[bool, str]:
        self.expect("(")
        stream = self.peek() == "stream" and self.peek(1) != ")"
        if stream:
            self.next()
        name = self.name()
        self.expect(")")
        return stream, name

    # -- messages and enums -------------------------------------------------------------------------

    def message(self) -> ProtoMessage:
        made = ProtoMessage(self.plain_name())
        self.body(made)
        return made

    def body(self, made: ProtoMessage) -> None:
        self.enter()
        while not self.leave():
            if self.take(";") or self._shared(made):
                continue
            word = self.peek()
            if word == "oneof" and self.peek(2) == "{":
                made.oneofs.append(self.oneof())
            elif word == "reserved" and self.peek(2) != "=":
                made.reserved += self.ranges()
            elif word == "extensions" and self.peek(2) != "=":
                made.extensions += self.ranges()
            else:
                made.fields.append(self.field())

    def ranges(self) -> list[str]:
        """Numbers, ranges and names up to the semicolon, as they are written."""
        self.next()
        found: list[str] = []
        while True:
            if self.kind() == "text":
                found.append(f'"{self.string()}"')
            elif self.kind() == "name" and self.peek() != "max":
                found.append(self.next())
            else:
                start = self.integer()
                end = start
                if self.take("to"):
                    end = "max" if self.take("max") else self.integer()
                found.append(str(start) if end == start else f"{start} to {end}")
            if not self.take(","):
                break
        if self.peek() == "[":
            self.options()
        self.expect(";")
        return found

    def oneof(self) -> ProtoOneOf:
        self.next()
        made = ProtoOneOf(self.plain_name())
        self.enter()
        while not self.leave():
            if self.take(";"):
                continue
            if self.take("option"):
                made.options.append(self.option())
                self.expect(";")
            else:
                made.fields.append(self.field())
        return made

    def extend(self) -> ProtoExtend:
        made = ProtoExtend(self.name())
        self.enter()
        while not self.leave():
            if not self.take(";"):
                made.fields.append(self.field())
        return made

    def field(self) -> ProtoField:
        line, label = self.line(), ""
        if self.peek() in _LABELS and self.peek(1) != "=" and self.peek(2) != "=":
            label = self.next()
        if self.peek() == "map" and self.peek(1) == "<":
            return self._map(label, line)
        if self.peek() == "group" and self.peek(2) == "=" and self.peek(3) != "=":
            return self._group(label, line)
        kind = self.name()
        made = ProtoField(self.plain_name(), 0, kind, label, line=line)  # pyright: ignore[reportArgumentType]
        self._number_and_options(made)
        self.expect(";")
        return made

    def _map(self, label: str, line: int) -> ProtoField:
        self.next()
        self.expect("<")
        key = self.name()
        self.expect(",")
        value = self.name()
        self.expect(">")
        made = ProtoField(self.plain_name(), 0, "map", label, (key, value), line=line)  # pyright: ignore[reportArgumentType]
        self._number_and_options(made)
        self.expect(";")
        return made

    def _group(self, label: str, line: int) -> ProtoField:
        self.next()
        name = self.plain_name()
        made = ProtoField(name, 0, "group", label, line=line)  # pyright: ignore[reportArgumentType]
        self._number_and_options(made)
        made.group = ProtoMessage(name)
        self.body(made.group)
        return made

    def _number_and_options(self, made: ProtoField) -> None:
        self.expect("=")
        made.number = self.integer()
        if self.peek() == "[":
            made.options = self.options()

    def enum(self) -> ProtoEnum:
        made = ProtoEnum(self.plain_name())
        self.enter()
        while not self.leave():
            if self.take(";"):
                continue
            if self.peek() == "option" and self.peek(1) != "=":
                self.next()
                made.options.append(self.option())
                self.expect(";")
            elif self.peek() == "reserved" and self.peek(1) != "=":
                made.reserved += self.ranges()
            else:
                name = self.plain_name()
                self.expect("=")
                number = self.integer()
                options = self.options() if self.peek() == "[" else []
                self.expect(";")
                made.values.append((name, number, options))
        return made

    # -- options ------------------------------------------------------------------------------------

    def options(self) -> list[Option]:
        self.expect("[")
        found: list[Option] = []
        while not self.take("]"):
            found.append(self.option())
            if not self.take(",") and self.peek() != "]":
                self.fail("',' or ']'")
        return found

    def option(self) -> Option:
        """Name and value, as they are written but for blanks."""
        name: list[str] = []
        while self.peek() != "=":
            if self.kind() not in {"name", "symbol"} or self.peek() in {";", "{", "}"}:
                self.fail("the name of an option")
            name.append(self.next())
        self.next()
        return "".join(name), self._value()

    def _value(self) -> str:
        if self.peek() in {"{", "[", "<"} and self.kind() == "symbol":
            return self._literal()
        if self.kind() == "text":
            return f'"{self.string()}"'
        sign = self.next() if self.peek() in {"-", "+"} else ""
        if self.kind() not in {"name", "number"}:
            self.fail("a value")
        return sign + self.next()

    def _literal(self) -> str:
        pairs = {"{": "}", "[": "]", "<": ">"}
        closing: list[str] = []
        parts: list[str] = []
        while True:
            is_symbol = self.kind() == "symbol"
            word = self.next()
            parts.append(word)
            if is_symbol and word in pairs:
                closing.append(pairs[word])
                if len(closing) > MAX_NESTING:
                    self.fail(f"at most {MAX_NESTING} levels")
            elif is_symbol and word in pairs.values() and closing.pop() != word:
                self.at -= 1
                self.fail("balanced brackets")
            if not closing:
                return " ".join(parts)
