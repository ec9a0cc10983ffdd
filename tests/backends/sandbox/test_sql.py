"""score/sql_execution in the real sandbox: rows of queries compared, databases of a folder, limits."""

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from reward_gateway.backends.sandbox.databases import DatabaseFolder
from reward_gateway.backends.sandbox.sandbox import Sandbox
from reward_gateway.cache.null import NullCache
from reward_gateway.gateway import Gateway
from reward_gateway.pages.answers import NoModels
from reward_gateway.recipes.book import load_book
from reward_gateway.scoring.cached_scorer import CachedScorer
from reward_gateway.scoring.effects_runtime import EffectsRuntime
from reward_gateway.state.store import StateStore

pytestmark = pytest.mark.anyio

SINGERS = {
    "schema": "CREATE TABLE singer(id INTEGER, name TEXT, age INTEGER, country TEXT, pay REAL);"
    "CREATE TABLE concert(id INTEGER, singer INTEGER, year INTEGER);",
    "rows": {
        "singer": [
            [1, "Ann", 30, "France", 10.5],
            [2, "Bo", 25, "Chad", 7.25],
            [3, "Cy", 41, "France", 0.1],
            [4, "Di", 25, None, 0.2],
        ],
        "concert": [[1, 1, 2014], [2, 1, 2015], [3, 2, 2014], [4, 3, 2015]],
    },
}
ALL = "SELECT name FROM singer"
OLD = "SELECT name FROM singer WHERE age > 28"
COUNT = "SELECT country, count(*) FROM singer GROUP BY country"
SORTED = "SELECT name, age FROM singer ORDER BY age DESC, name"
PAID = "SELECT sum(pay) FROM singer"
JOINED = "SELECT s.name FROM singer s JOIN concert c ON c.singer = s.id WHERE c.year = 2014"
AVERAGE = "SELECT avg(age) FROM singer"

RIGHT = [
    (ALL, "select NAME from SINGER"),
    (ALL, "SELECT name FROM singer;"),
    (ALL, "SELECT name FROM singer ORDER BY name DESC"),
    (ALL, "SELECT name AS n FROM singer"),
    (ALL, "```sql\nSELECT name FROM singer\n```"),
    (ALL, "Here it is:\n```SQLite\nSELECT name\nFROM singer;\n```\nDone."),
    (ALL, "```\nSELECT name FROM singer\n```"),
    (ALL, "<think>SELECT 1</think>\nSELECT name FROM singer"),
    (ALL, "<think>Hm.</think><answer>SELECT name FROM singer</answer>"),
    (ALL, "<answer>\n```sql\nSELECT name FROM singer\n```\n</answer>"),
    (ALL, "<sql>SELECT name FROM singer</sql>"),
    (ALL, "The query is:\nSELECT name FROM singer;\nIt lists all."),
    (ALL, "```sql\nSELECT 1\n```\nNo, better:\n```sql\nSELECT name FROM singer\n```"),
    (OLD, "SELECT name FROM singer WHERE NOT age <= 28"),
    (OLD, "SELECT name FROM singer WHERE age >= 29"),
    (OLD, "WITH old AS (SELECT * FROM singer WHERE age > 28) SELECT name FROM old"),
    (COUNT, "SELECT country, sum(1) FROM singer GROUP BY 1"),
    (COUNT, "SELECT country, count(id) * 1.0 FROM singer GROUP BY country"),
    (SORTED, "SELECT name, age FROM singer ORDER BY -age, name"),
    (PAID, "SELECT 18.05"),
    (PAID, "SELECT 10.5 + 7.25 + 0.1 + 0.2"),
    (PAID, "SELECT sum(pay) + 0.0000001 FROM singer"),
    (AVERAGE, "SELECT sum(age) * 1.0 / count(*) FROM singer"),
    (AVERAGE, "SELECT 30.25"),
    (JOINED, "SELECT name FROM singer WHERE id IN (SELECT singer FROM concert WHERE year = 2014)"),
    (JOINED, "SELECT name FROM singer, concert WHERE singer.id = concert.singer AND year = 2014"),
    ("SELECT pay FROM singer WHERE pay < 1", "SELECT 0.2 UNION ALL SELECT 0.1"),
    ("SELECT pay, name FROM singer", "SELECT pay * 3 / 3, name FROM singer ORDER BY id DESC"),
    ("SELECT count(*) FROM singer", "SELECT 4.0"),
    ("SELECT name FROM singer WHERE 0", "SELECT age FROM singer WHERE age > 99"),
]
WRONG = [
    (ALL, ""),
    (ALL, "I do not know."),
    (ALL, "SELECT name"),
    (ALL, "SELECT id FROM singer"),
    (ALL, "SELECT name FROM singers"),
    (ALL, "SELECT name, age FROM singer"),
    (ALL, "SELECT name FROM singer LIMIT 3"),
    (ALL, "SELECT name FROM singer UNION ALL SELECT 'Ann'"),
    (ALL, "SELECT lower(name) FROM singer"),
    (ALL, "SELECT name FROM singer; SELECT name FROM singer"),
    (ALL, "DELETE FROM singer"),
    (ALL, "DROP TABLE singer; SELECT name FROM singer"),
    (ALL, "<think>SELECT name FROM singer"),
    (ALL, "<think>\nSELECT name FROM singer\n</think>\nSELECT id FROM singer"),
    (ALL, "```sql\nSELECT name FROM singer\n```\nNo:\n```sql\nSELECT id FROM singer\n```"),
    (OLD, ALL),
    (OLD, "SELECT name FROM singer WHERE age > 30"),
    (OLD, "SELECT name FROM singer WHERE age < 28"),
    (COUNT, "SELECT count(*), country FROM singer GROUP BY country"),
    (COUNT, "SELECT country, count(*) FROM singer WHERE country IS NOT NULL GROUP BY country"),
    (COUNT, "SELECT country, CAST(count(*) AS TEXT) FROM singer GROUP BY country"),
    (SORTED, "SELECT name, age FROM singer ORDER BY age, name"),
    (SORTED, "SELECT name, age FROM singer"),
    (PAID, "SELECT 18.1"),
    (PAID, "SELECT 18.0501"),
    (PAID, "SELECT '18.05'"),
    (AVERAGE, "SELECT 30"),
    (AVERAGE, "SELECT sum(age) / count(*) FROM singer"),
    (JOINED, "SELECT name FROM singer"),
    (JOINED, "SELECT s.name FROM singer s JOIN concert c ON c.singer = s.id"),
    ("SELECT count(*) FROM singer", "SELECT 5"),
    ("SELECT name FROM singer WHERE 0", ALL),
    ("SELECT country FROM singer WHERE id = 4", "SELECT ''"),
    ("SELECT id FROM singer WHERE id > 2", "SELECT 3 UNION ALL SELECT 3"),
]


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    made = Sandbox()
    await made.start()
    yield made
    await made.close()


def gateway_over(sandbox: Sandbox, folder: Path | None = None) -> Gateway:
    runtime = EffectsRuntime(
        CachedScorer(NoModels(), NullCache()),
        StateStore.in_process(),
        sandbox=sandbox,
        databases=DatabaseFolder(folder),
    )
    return Gateway(load_book("rewards: {r: {components: {a: {score: length_penalty}}}}"), runtime)


async def ask(gateway: Gateway, *items: Any, name: str = "sql_execution", **params: Any) -> list[Any]:
    return await gateway.operations.apply_items("score", name, list(items), params)


def item(gold: str, response: str, database: Any = SINGERS) -> dict[str, Any]:
    return {"response": response, "reference": gold, "database": database}


async def test_right_queries_earn_1_and_wrong_ones_0(sandbox: Sandbox) -> None:
    cases = [*((case, 1.0) for case in RIGHT), *((case, 0.0) for case in WRONG)]
    results = await ask(gateway_over(sandbox), *(item(*case) for case, _ in cases), timeout_s=60.0)
    assert len(cases) >= 60
    assert [(case, result["reward"]) for (case, _), result in zip(cases, results, strict=True)] == cases


async def test_a_right_query_that_fails_and_a_database_that_is_none_are_errors_of_their_item(sandbox: Sandbox) -> None:
    items = [
        item("SELECT nothing", ALL),
        item(ALL, ALL, "unknown"),
        item(ALL, ALL, {"file_b64": "AAAA"}),
        item("", ALL),
    ]
    results = await ask(gateway_over(sandbox), *items, item(ALL, ALL))
    assert [result["reward"] for result in results] == [None] * 4 + [1.0]
    assert [result["error"]["param"] for result in results[:4]] == ["reference", "database", "database", "reference"]


async def test_the_number_of_rows_is_limited_as_asked(sandbox: Sandbox) -> None:
    gateway = gateway_over(sandbox)
    assert [result["reward"] for result in await ask(gateway, item(ALL, ALL), max_rows=4)] == [1.0]
    (few,) = await ask(gateway, item("SELECT name FROM singer WHERE id < 4", ALL), max_rows=3)
    assert (few["reward"], few["details"]["error"]) == (0.0, "ValueError: more than 3 rows")
    (gold,) = await ask(gateway, item(ALL, "SELECT 1"), max_rows=3)
    assert "more than 3 rows" in gold["error"]["message"]


async def test_the_order_and_how_often_a_row_stands_there_count_as_asked(sandbox: Sandbox) -> None:
    gateway = gateway_over(sandbox)
    turned = item(ALL, "SELECT name FROM singer ORDER BY id DESC")
    assert [(await ask(gateway, turned, order=how))[0]["reward"] for how in ("ordered", "multiset")] == [0.0, 1.0]
    twice = item("SELECT age FROM singer", "SELECT DISTINCT age FROM singer")
    assert [(await ask(gateway, twice, order=how))[0]["reward"] for how in ("multiset", "set")] == [0.0, 1.0]
    near = item("SELECT 1.0 UNION ALL SELECT 2", "SELECT 1.0000001 UNION SELECT 2 UNION SELECT 2.0000001")
    assert [(await ask(gateway, near, order=how))[0]["reward"] for how in ("multiset", "set")] == [0.0, 1.0]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two databases as BIRD and Spider lay them out, one of them in write-ahead mode, and one beside the folder."""
    for name, journal in (("bird/shop/shop", "delete"), ("bird/zoo", "wal"), ("secret", "delete")):
        path = tmp_path / f"{name}.sqlite"
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(sqlite3.connect(path)) as database:
            database.execute(f"PRAGMA journal_mode = {journal}")
            database.execute("CREATE TABLE t(x INTEGER, y TEXT)")
            database.executemany("INSERT INTO t VALUES (?, ?)", [(i, f"{name} {i}" * 20) for i in range(2_000)])
            database.commit()
    (tmp_path / "bird" / "link.sqlite").symlink_to(tmp_path / "secret.sqlite")
    return tmp_path / "bird"


async def test_databases_of_the_operators_folder_are_read_by_name(sandbox: Sandbox, folder: Path) -> None:
    gateway = gateway_over(sandbox, folder)
    gold = "SELECT count(*), max(y) FROM t WHERE x % 2 = 0 GROUP BY x / 500"
    items = [item(gold, gold, name) for name in ("shop", "zoo")]
    wrong = [item(gold, "SELECT count(*), max(y) FROM t GROUP BY x / 500", name) for name in ("shop", "zoo")]
    results = await ask(gateway, *items, *wrong)
    assert [result["reward"] for result in results] == [1.0, 1.0, 0.0, 0.0], results


async def test_a_query_changes_no_file_and_reads_no_other(sandbox: Sandbox, folder: Path) -> None:
    gateway = gateway_over(sandbox, folder)
    file = folder / "shop" / "shop.sqlite"
    before = file.read_bytes()
    for text in (
        "DELETE FROM t",
        f"ATTACH '{folder.parent / 'secret.sqlite'}' AS s",
        "COMMIT",
        "PRAGMA query_only = 0",
    ):
        (result,) = await ask(gateway, item("SELECT count(*) FROM t", text, "shop"))
        assert result["reward"] == 0.0
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    "database",
    [
        "link",
        "../secret",
        "secret",
        "shop/shop",
        "/etc/passwd",
        "",
        {"file": "/etc/passwd"},
        {"database": "x", "file": "y"},
    ],
)
async def test_what_lies_outside_the_folder_is_no_database(sandbox: Sandbox, folder: Path, database: Any) -> None:
    (result,) = await ask(gateway_over(sandbox, folder), item("SELECT 1", "SELECT 1", database))
    assert result["reward"] is None


async def test_reasoning_sql_takes_the_same_databases_and_tolerance(sandbox: Sandbox, folder: Path) -> None:
    given = {"pred_sql": "SELECT 0.1 + 0.2", "gold_sql": "SELECT 0.3", "format_ok": True}
    right, unknown = await ask(
        gateway_over(sandbox, folder), {**given, "db": "shop"}, {**given, "db": "none"}, name="reasoning_sql"
    )
    assert right["details"]["exec"] == 1.0
    assert unknown["error"]["param"] == "db"
