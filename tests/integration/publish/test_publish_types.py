"""Every type a contract can promise comes back as it went in, through DuckDB and through pyiceberg."""

from pathlib import Path

import duckdb

from hanse.model.mesh import Column, Contract, Product, Team
from hanse.publish.lakehouse import Lakehouse
from hanse.publish.lease import Lease
from hanse.publish.publisher import Publisher
from hanse.publish.reader import Reader
from hanse.publish.state import SinkState
from hanse.settings import Settings

COLUMNS = (
    Column("k", "integer", "BIGINT", required=True, primary_key=True),
    Column("i", "integer", "INT"),
    Column("ok", "boolean", "BOOLEAN"),
    Column("f", "number", "FLOAT"),
    Column("d", "number", "DECIMAL(38, 2)"),
    Column("s", "number", "DECIMAL(9, 3)"),
    Column("t", "timestamp", "TIMESTAMP(3)"),
    Column("z", "timestamp", "TIMESTAMP_LTZ(3)"),
    Column("dt", "date", "DATE"),
    Column("tm", "time", "TIME"),
    Column("by", "string", "BYTES"),
    Column("l", "array", "ARRAY<STRING>"),
    Column("m", "map", "MAP<STRING, INT>"),
    Column("r", "object", "ROW<a INT, b ARRAY<ROW<c STRING, d TIMESTAMP(3)>>>"),
)
FULL = """SELECT 1::BIGINT AS k, -7 AS i, true AS ok, 1.5::FLOAT AS f, 12.34::DECIMAL(38,2) AS d,
  -1.125::DECIMAL(9,3) AS s, TIMESTAMP '2020-01-01 00:00:00.123' AS t,
  TIMESTAMPTZ '2020-01-01 00:00:00+02' AS z, DATE '1969-12-31' AS dt, TIME '01:02:03.004' AS tm,
  'ab'::BLOB AS "by", ['a', NULL] AS l, MAP {'x': 1} AS m,
  {'a': 1, 'b': [{'c': 'q', 'd': TIMESTAMP '2020-01-01 00:00:00.5'}]} AS r"""


def product(root: Path) -> Product:
    document = {"schema": [{"name": "p", "properties": [{"name": c.name} for c in COLUMNS]}]}
    contract = Contract("d.p", "1.0.0", root / "contract.yaml", COLUMNS, (), None, document)
    return Product(
        "d", "p", root, "1.0.0", "active", "", Team("D"), contract, root / "projection.sql", ("d.t",)
    )


def test_all_types(tmp_path: Path) -> None:
    empty = f"SELECT 2::BIGINT, {', '.join(['NULL'] * (len(COLUMNS) - 1))}"
    with (
        duckdb.connect(str(tmp_path / "state.duckdb")) as con,
        Lakehouse(tmp_path / "lakehouse") as lakehouse,
    ):
        con.execute("SET TimeZone = 'UTC'")
        con.execute(f"CREATE TABLE output AS {FULL} UNION ALL {empty}")
        con.execute("CREATE TABLE changes AS SELECT 1::TINYINT AS _op, k AS _seq, * FROM output")
        columns = tuple((str(r[0]), str(r[1])) for r in con.execute("DESCRIBE output").fetchall())
        with Lease.acquire(lakehouse.leases, "d.p") as lease:
            publisher = Publisher(lakehouse, product(tmp_path), lease)
            assert publisher.publish(con, SinkState("changes", "output", columns, ("k",)), {}) is not None
            arrow = publisher.table().scan().to_arrow().sort_by("k").to_pylist()
        wanted = con.execute("SELECT * FROM output ORDER BY k").fetchall()
    scan = Reader(Settings(tmp_path, tmp_path)).scan("d.p")
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        assert con.execute(f"{scan.sql} ORDER BY k").fetchall() == wanted
    names = [c.name for c in COLUMNS]
    plain = [tuple(dict(v) if n == "m" and v else v for n, v in row.items()) for row in arrow]
    assert [list(row) for row in arrow] == [names, names]
    assert plain == wanted
