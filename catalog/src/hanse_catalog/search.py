"""Full-text search over products, fields, events, terms and domains: SQLite FTS5, prefixes and typos."""

from __future__ import annotations

import re
import sqlite3
import threading
from dataclasses import dataclass

from rapidfuzz import distance, process

from hanse.model.mesh import Domain, Product

_WORD = re.compile(r"\w+", re.UNICODE)
MAX_WORDS = 8


@dataclass(frozen=True, slots=True)
class Hit:
    """Something found: `kind` is product, field, event, term or domain; `target` its name or address."""

    kind: str
    title: str
    target: str
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """Hits, best first. `corrected` is the text searched for instead, when nothing matched as written."""

    hits: list[Hit]
    corrected: str | None = None


class SearchIndex:
    """An index in memory, made once for each revision of the descriptors."""

    def __init__(self, domains: tuple[Domain, ...], products: tuple[Product, ...]) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(":memory:", check_same_thread=False)
        self._db.execute(
            "CREATE VIRTUAL TABLE doc USING fts5(title, body, kind UNINDEXED, target UNINDEXED, "
            "label UNINDEXED, text UNINDEXED, prefix='2 3 4', tokenize=\"unicode61 remove_diacritics 2\")"
        )
        rows = [row for product in products for row in _of_product(product)]
        rows += [row for domain in domains for row in _of_domain(domain)]
        self._db.executemany(
            "INSERT INTO doc(title, body, kind, target, label, text) VALUES (?,?,?,?,?,?)", rows
        )
        self._db.execute("CREATE VIRTUAL TABLE vocabulary USING fts5vocab(doc, 'row')")
        self._words = [r[0] for r in self._db.execute("SELECT term FROM vocabulary") if len(r[0]) > 2]

    def search(self, text: str, limit: int = 200) -> Found:
        """What matches every word of the text, the last as a prefix; else what matches after correction."""
        words = _WORD.findall(text.lower())[:MAX_WORDS]
        if not words:
            return Found([])
        hits = self._match(words, limit)
        if hits:
            return Found(hits)
        corrected = [self._correct(word) for word in words]
        if corrected == words:
            return Found([])
        return Found(self._match(corrected, limit), " ".join(corrected))

    def close(self) -> None:
        """Free the index."""
        with self._lock:
            self._db.close()

    def _match(self, words: list[str], limit: int) -> list[Hit]:
        query = " ".join(f'"{word}"*' for word in words)
        sql = (
            "SELECT kind, label, target, text FROM doc WHERE doc MATCH ? "
            "ORDER BY bm25(doc, 8.0, 1.0) + "
            "CASE kind WHEN 'product' THEN -6 WHEN 'domain' THEN -2 ELSE 0 END LIMIT ?"
        )
        with self._lock:
            return [Hit(*row) for row in self._db.execute(sql, (query, limit))]

    def _correct(self, word: str) -> str:
        if len(word) < 3:
            return word
        cutoff = 0.66 if len(word) < 6 else 0.7
        best = process.extractOne(
            word, self._words, scorer=distance.DamerauLevenshtein.normalized_similarity, score_cutoff=cutoff
        )
        return best[0] if best else word


Row = tuple[str, str, str, str, str, str]


def _split(name: str) -> str:
    return name.replace("_", " ").replace(".", " ")


def _of_product(product: Product) -> list[Row]:
    full = product.full_name
    columns = product.contract.columns
    body = " ".join(
        (
            product.purpose,
            product.domain,
            product.owner.name,
            " ".join(product.tags),
            product.lifecycle,
            " ".join(f"{_split(c.name)} {c.business_name or ''}" for c in columns),
        )
    )
    rows = [(f"{full} {_split(full)}", body, "product", full, full, product.purpose)]
    for column in columns:
        title = f"{column.name} {_split(column.name)} {column.business_name or ''}"
        text = column.description or column.logical_type
        rows.append(
            (title, f"{text} {column.classification or ''}", "field", full, f"{full}.{column.name}", text)
        )
    return rows


def _of_domain(domain: Domain) -> list[Row]:
    team = f"{domain.team.name} {domain.team.support or ''}"
    rows = [(domain.name, f"{domain.purpose} {team}", "domain", domain.name, domain.name, domain.purpose)]
    for term, meaning in domain.language.items():
        rows.append((term, meaning, "term", domain.name, f"{term} in {domain.name}", meaning))
    for topic in domain.topics:
        title = f"{topic.full_name} {_split(topic.full_name)}"
        rows.append(
            (title, "event topic stream", "event", domain.name, topic.full_name, f"{topic.kind} topic")
        )
    return rows
