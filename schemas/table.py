"""A table contract, and the faults of data that breaks it."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc


class ContractError(ValueError):
    """Data that breaks a contract. The message lists every fault, got and expected."""


@dataclass(frozen=True)
class Table:
    """One table or file that crosses a boundary.

    A field with ``nullable=False`` must be present and free of nulls; every other field may be absent.
    ``key`` identifies a row. ``partitions`` are folder levels, not columns of the files.
    """

    name: str
    schema: pa.Schema
    key: tuple[str, ...]
    partitions: tuple[str, ...] = ()

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the columns that must be present."""
        return tuple(field.name for field in self.schema if not field.nullable)


def type_text(kind: pa.DataType) -> str:
    """Name of an Arrow type as this project's messages write it, e.g. ``timestamp[us, UTC]``."""
    return str(kind).replace("tz=", "")


def _is_same(got: pa.DataType, expected: pa.DataType) -> bool:
    """Types that hold the same values: large strings and lists, and field nullability, do not matter."""
    if pa.types.is_string(expected):
        return bool(pa.types.is_string(got) or pa.types.is_large_string(got) or pa.types.is_string_view(got))
    if pa.types.is_map(expected):
        return bool(
            pa.types.is_map(got)
            and _is_same(got.key_type, expected.key_type)
            and _is_same(got.item_type, expected.item_type)
        )
    if pa.types.is_list(expected):
        return bool((pa.types.is_list(got) or pa.types.is_large_list(got)) and _is_same(got.value_type, expected.value_type))
    if pa.types.is_struct(expected):
        return bool(
            pa.types.is_struct(got)
            and [f.name for f in got] == [f.name for f in expected]
            and all(_is_same(a.type, b.type) for a, b in zip(got, expected, strict=True))
        )
    return bool(got == expected)


def schema_faults(table: Table, got: pa.Schema) -> list[str]:
    """Every way in which a file's schema breaks the contract; columns the contract does not name are ignored."""
    faults = []
    for field in table.schema:
        found = got.get_all_field_indices(field.name)
        index = found[0] if found else -1
        if len(found) > 1:
            faults.append(f"'{field.name}' appears {len(found)} times")
        elif index < 0:
            if not field.nullable:
                faults.append(f"missing '{field.name}' ({type_text(field.type)})")
        elif not _is_same(got.field(index).type, field.type) and not pa.types.is_null(got.field(index).type):
            faults.append(f"{field.name} is {type_text(got.field(index).type)}, expected {type_text(field.type)}")
    return faults


def require_schema(table: Table, got: pa.Schema, where: str = "") -> None:
    """Return if the schema keeps the contract.

    Raises
    ------
    ContractError
        With all faults at once, e.g. ``table 'turns': missing 'at' (timestamp[us, UTC]); turn_index is int64``.
    """
    if faults := schema_faults(table, got):
        at = f" in {where}" if where else ""
        raise ContractError(f"table '{table.name}'{at}: " + "; ".join(faults))


def conform(table: Table, data: pa.Table, where: str = "") -> pa.Table:
    """The data with exactly the contract's columns, in its order; absent optional columns become null.

    Raises
    ------
    ContractError
        Naming every missing column, wrong type and required column that holds nulls.
    """
    require_schema(table, data.schema, where)
    columns = [
        data.column(f.name).cast(f.type) if f.name in data.column_names else pa.nulls(data.num_rows, f.type)
        for f in table.schema
    ]
    nulls = [
        f"{f.name} holds {c.null_count} null(s)"
        for f, c in zip(table.schema, columns, strict=True)
        if not f.nullable and c.null_count
    ]
    if nulls:
        raise ContractError(f"table '{table.name}'{f' in {where}' if where else ''}: " + "; ".join(nulls))
    return pa.table(columns, schema=table.schema)


def day_of(at: pa.ChunkedArray) -> pa.ChunkedArray:
    """The UTC day of each timestamp as ``YYYY-MM-DD``, the partition key of dated tables."""
    return pc.strftime(at, format="%Y-%m-%d")
