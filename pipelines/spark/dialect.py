"""The house's SQL, written for DuckDB, as Spark reads it.

What is only spelled otherwise is sqlglot's work. What the two languages mean otherwise by the same words is said here,
once for all models; what belongs to one rule alone has a macro of its own (`dbt_project/macros/dispatched`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

from pipelines.errors import AntawasiError

#: Columns and their Spark types by table, as `{"marts.dim_lot": {"lot_key": "string"}}`.
Columns = Mapping[str, Mapping[str, str]]

#: Spark reads a common table expression again wherever it is named, and those that it names too. A query that would
#: come to more readings than this is built in steps.
READINGS_MOST = 40
#: Schema of the tables of such steps; gone when the build ends.
WORKING = "working"


def tables_of(sql: str) -> list[str]:
    """The tables that a query of DuckDB's dialect reads, as `schema.name`, each once."""
    found = (f"{t.db}.{t.name}" for t in _parsed(sql).find_all(exp.Table) if t.db)
    return list(dict.fromkeys(found))


def spark_type(name: str) -> str:
    """A type of DuckDB's as Spark writes it."""
    return exp.DataType.build(name, dialect="duckdb").sql(dialect="spark")


def to_spark(sql: str, columns: Columns, name: str | None = None) -> list[tuple[str | None, str]]:
    """One query of DuckDB's dialect as queries of Spark's: (working table to make of it, or None for the last; SQL).

    Args:
        columns: of every table that the query reads.
        name: begins the names of working tables; without one, the query stays one.

    Raises:
        sqlglot.errors.SqlglotError: it is not SQL that sqlglot knows; the message shows the place.
    """
    schema = MappingSchema(dialect="spark")
    for table, types in columns.items():
        schema.add_table(table, dict(types), dialect="spark")
    tree = _parsed(sql).transform(_apply(_BY_WORD), copy=False)
    _inline_windows(tree)
    tree = qualify(
        tree,
        schema=schema,
        dialect="duckdb",
        validate_qualify_columns=False,
        quote_identifiers=False,
        identify=False,
        isolate_tables=False,
    )
    tree = annotate_types(tree, schema=schema, dialect="duckdb", expression_metadata=_TYPES)
    # From the leaves up: a rule looks at the types of what stands inside, which it leaves as they are.
    for node in reversed(list(tree.walk(bfs=True))):
        rule = _BY_TYPE.get(type(node))
        if rule:
            rule(node)
    return [
        (table, step.sql(dialect="spark", pretty=True))
        for table, step in (_steps(tree, name) if name else [(None, tree)])
    ]


def _parsed(sql: str) -> exp.Expression:
    """The query; a table without a schema that is no common table expression is a working table."""
    tree = sqlglot.parse_one(sql, dialect="duckdb")
    own = {part.alias for part in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if not table.db and table.name and table.name not in own:
            table.set("db", exp.to_identifier(WORKING))
    return tree


def _apply(rules: Mapping[type, Callable[[Any], exp.Expression]]) -> Callable[[exp.Expression], exp.Expression]:
    def one(node: exp.Expression) -> exp.Expression:
        rule = rules.get(type(node))
        return rule(node) if rule else node

    return one


# --- by the word -------------------------------------------------------------------------------------------------------


def _double(node: exp.Expression) -> exp.Expression:
    if isinstance(node, exp.Cast) and node.to.is_type("double"):
        return node
    return exp.cast(node, "double", copy=False)


def _division(node: exp.Div) -> exp.Expression:
    """DuckDB divides in binary, whatever the types; Spark divides decimals as decimals, cut at some digit."""
    node.set("this", _double(node.this))
    node.set("expression", _double(node.expression))
    return node


def _mean(node: exp.Avg) -> exp.Expression:
    """As division: of decimals too, a mean is binary."""
    node.set("this", _double(node.this))
    return node


def _best_known(node: exp.ArgMax | exp.ArgMin) -> exp.Expression:
    """DuckDB leaves rows out whose value is null; Spark returns the null."""
    is_known = exp.Not(this=exp.Is(this=node.this.copy(), expression=exp.null()))
    node.set("expression", exp.case().when(is_known, node.expression))
    return node


def _unordered(node: exp.Sum) -> exp.Expression:
    """Spark adds in no order that could be asked for."""
    if isinstance(node.this, exp.Order):
        node.set("this", node.this.this)
    return node


def _decimal_literal(node: exp.Literal) -> exp.Expression:
    """A number with a point is a decimal in both languages; sqlglot takes it for binary unless told."""
    text = node.this
    if node.is_string or "." not in text or "e" in text.lower() or isinstance(node.parent, exp.DataTypeParam):
        return node
    whole, _, part = text.partition(".")
    return exp.cast(node.copy(), f"decimal({max(len(whole), 1) + len(part)}, {len(part)})")


_BY_WORD = {
    exp.Div: _division,
    exp.Avg: _mean,
    exp.ArgMax: _best_known,
    exp.ArgMin: _best_known,
    exp.Sum: _unordered,
    exp.Literal: _decimal_literal,
}


def _inline_windows(tree: exp.Expression) -> None:
    """Windows that extend a named one (`over (w order by …)`), which Spark has not, written out."""
    for window in list(tree.find_all(exp.Window)):
        name, select = window.args.get("alias"), window.find_ancestor(exp.Select)
        if name is None or select is None or not (window.args.get("order") or window.args.get("spec")):
            continue
        for known in select.args.get("windows") or ():
            if known.name == name.name and known is not window:
                window.set("alias", None)
                for part in ("partition_by", "order", "spec"):
                    if not window.args.get(part) and (value := known.args.get(part)):
                        copied = [v.copy() for v in value] if isinstance(value, list) else value.copy()
                        window.set(part, copied)


# --- by the type -------------------------------------------------------------------------------------------------------


def _as_argument(annotator: Any, node: exp.Expression) -> exp.Expression:
    """DuckDB rounds decimals to decimals, and its medians of decimals are decimals too."""
    kept = node.this.is_type("decimal", "unknown")
    annotator._set_type(node, node.this.type if kept else exp.DType.DOUBLE)
    return node


def _of_what_is_taken(annotator: Any, node: exp.Expression) -> exp.Expression:
    return annotator._annotate_by_args(node, "this")


#: Where sqlglot knows less of DuckDB's types than the rules below need.
_TYPES = {
    **DuckDB.EXPRESSION_METADATA,
    **{kind: {"annotator": _as_argument} for kind in (exp.Round, exp.Median)},
    **{kind: {"annotator": _of_what_is_taken} for kind in (exp.ArgMax, exp.ArgMin)},
}

_BINARY, _DECIMAL = ("double", "float"), ("decimal",)


def _is(node: exp.Expression, types: Iterable[str]) -> bool:
    """Whether the value is of the types; what one binary number takes part in is binary, whatever the others are."""
    if isinstance(node, (exp.Add, exp.Sub, exp.Mul)) and types is _BINARY:
        return _is(node.this, types) or _is(node.expression, types)
    if isinstance(node, (exp.Paren, exp.Neg)):
        return _is(node.this, types)
    return node.type is not None and node.is_type(*types)


def _cast(node: exp.Cast) -> None:
    """DuckDB rounds to whole numbers, Spark cuts. DuckDB rounds a binary number to a decimal as it is in binary
    (1.005 is a little less), Spark as it is printed."""
    value, to = node.this, node.to
    if isinstance(value, exp.Literal):
        return
    if to.is_type("int", "bigint", "smallint", "tinyint"):
        if _is(value, _BINARY):
            node.set("this", exp.Anonymous(this="rint", expressions=[value]))
        elif _is(value, _DECIMAL):
            node.set("this", _rounded(value))
    elif to.is_type("decimal") and _is(value, _BINARY):
        digits, scale = (int(p.name) for p in to.expressions)
        whole = "bigint" if digits <= 18 else "decimal(38, 0)"
        if scale:
            shifted = exp.Mul(this=exp.paren(value), expression=exp.Literal.number(f"1e{scale}"))
            cast = type(node)(this=_rounded(shifted), to=exp.DataType.build(whole))
            node.set("this", exp.Mul(this=cast, expression=_unit(scale)))
        else:
            node.set("this", _rounded(value))


def _replace(node: exp.Expression, new: exp.Expression) -> None:
    """Put `new` in the place of `node`; what stands around it still has to know the type."""
    new.type = node.type
    node.replace(new)


def _percentile(value: exp.Expression, share: exp.Expression) -> exp.Anonymous:
    return exp.Anonymous(this="percentile", expressions=[_double(value.copy()), share])


def _quantile(node: exp.PercentileCont) -> None:
    """Of decimals DuckDB cuts after their last digit, and the last bit of the share decides where: no other engine could follow."""
    if _is(node.this, _DECIMAL):
        raise AntawasiError(
            f"{node.sql(dialect='duckdb')} is a quantile of decimals, which DuckDB cuts after their last digit and Spark does not. "
            "What to do: take it of cast(... as double)."
        )
    _replace(node, _percentile(node.this, node.expression))


def _median(node: exp.Median) -> None:
    """Of decimals, DuckDB cuts what lies between two values after their last digit."""
    binary = _percentile(node.this, exp.Literal.number("0.5"))
    kind, outer = node.this.type, node.parent if isinstance(node.parent, exp.Filter) else node
    node_type = node.type
    node.replace(binary)
    if kind is None or not kind.is_type("decimal") or len(kind.expressions) < 2:
        binary.type = exp.DataType.build("double")
        return
    measured = outer if outer is not node else binary
    scale = int(kind.expressions[1].name)
    # in doubles the cut would hit what is a whole number but for the last bit
    counted = exp.Mul(this=exp.paren(measured.copy()), expression=exp.Literal.number(f"1e{scale}"))
    whole = exp.func("floor", exp.Anonymous(this="round", expressions=[counted, exp.Literal.number(3)]))
    cut = exp.cast(exp.Mul(this=exp.cast(whole, "decimal(38, 0)"), expression=_unit(scale)), kind.copy())
    cut.type = node_type
    measured.replace(cut)


def _joined(node: exp.Concat) -> None:
    """DuckDB's concat() leaves nulls out; Spark's is null then."""
    texts = [exp.cast(part, "varchar", copy=False) for part in node.expressions]
    _replace(node, exp.Anonymous(this="concat_ws", expressions=[exp.Literal.string(""), *texts]))


def _unit(scale: int) -> exp.Expression:
    """The last digit of a decimal of that scale, as a decimal."""
    return exp.cast(exp.Literal.number("0." + "0" * (scale - 1) + "1"), f"decimal({scale}, {scale})")


def _rounded(value: exp.Expression) -> exp.Expression:
    return exp.Anonymous(this="round", expressions=[value, exp.Literal.number(0)])


def _round(node: exp.Round) -> None:
    """DuckDB rounds a binary number as it is in binary, Spark as it is printed."""
    places = node.args.get("decimals")
    if places is None or not _is(node.this, _BINARY) or not isinstance(places, exp.Literal) or places.name == "0":
        return
    factor = exp.Literal.number(f"1e{places.name}")
    shifted = exp.Mul(this=exp.paren(node.this), expression=factor)
    _replace(node, exp.Paren(this=exp.Div(this=_rounded(shifted), expression=factor.copy())))


_BY_TYPE = {
    exp.Cast: _cast,
    exp.TryCast: _cast,
    exp.Round: _round,
    exp.PercentileCont: _quantile,
    exp.Median: _median,
    exp.Concat: _joined,
}


# --- in steps ----------------------------------------------------------------------------------------------------------


def _steps(tree: exp.Expression, name: str) -> list[tuple[str | None, exp.Expression]]:
    """The query, before it the common table expressions that it reads more than once, if there would be too many readings."""
    clause = tree.args.get("with_")
    if clause is None or clause.args.get("recursive") or _readings(tree) <= READINGS_MOST:
        return [(None, tree)]
    clause.pop()
    waiting: dict[str, exp.CTE] = {}
    steps: list[tuple[str | None, exp.Expression]] = []
    made: dict[str, str] = {}
    parts = [*clause.expressions, tree]
    named = [table.name for part in parts for table in part.find_all(exp.Table) if not table.db]
    for part in clause.expressions:
        _point_to(part, made)
        if named.count(part.alias) > 1:
            made[part.alias] = f"{name}__{part.alias}"
            steps.append((made[part.alias], _with(part.this, waiting)))
        else:
            waiting[part.alias] = part
    _point_to(tree, made)
    return [*steps, (None, _with(tree, waiting))]


def _readings(tree: exp.Expression) -> int:
    """How many readings of tables the query comes to once every common table expression is written out."""
    cost: dict[str, int] = {}

    def of(node: exp.Expression) -> int:
        return 1 + sum(cost.get(t.name, 0) for t in node.find_all(exp.Table) if not t.db)

    clause = tree.args["with_"]
    for part in clause.expressions:
        cost[part.alias] = of(part.this)
    inner = {id(t) for t in clause.find_all(exp.Table)}
    return 1 + sum(cost.get(t.name, 0) for t in tree.find_all(exp.Table) if not t.db and id(t) not in inner)


def _point_to(part: exp.Expression, made: Mapping[str, str]) -> None:
    for table in list(part.find_all(exp.Table)):
        if not table.db and table.name in made:
            alias = table.alias or table.name
            new = exp.alias_(exp.table_(made[table.name], db=WORKING), alias, table=True)
            new.set("joins", table.args.get("joins"))
            table.replace(new)


def _with(query: exp.Expression, waiting: Mapping[str, exp.CTE]) -> exp.Expression:
    """The query with those of the waiting expressions that it needs, and those that these need."""
    needed: set[str] = set()

    def need(node: exp.Expression) -> None:
        for table in node.find_all(exp.Table):
            if not table.db and table.name in waiting and table.name not in needed:
                needed.add(table.name)
                need(waiting[table.name])

    need(query)
    parts = [part.copy() for alias, part in waiting.items() if alias in needed]
    if not parts:
        return query
    own = query.args.get("with_")
    query.set("with_", exp.With(expressions=parts + (own.expressions if own else [])))
    return query
