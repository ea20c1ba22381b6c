"""Spark types derived from the Arrow contracts. The only module here that imports pyspark."""

from __future__ import annotations

from pyspark.sql.pandas.types import from_arrow_type
from pyspark.sql.types import StructField, StructType

from schemas.table import Table


def spark_schema(table: Table) -> StructType:
    """The table's Spark schema, field by field from its Arrow schema; timestamps are instants (UTC)."""
    return StructType(
        [StructField(f.name, from_arrow_type(f.type, prefer_timestamp_ntz=False), f.nullable) for f in table.schema]
    )
