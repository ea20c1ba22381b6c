"""The algorithms: plain arrays and frozen dataclasses, no Spark, no web, no Airflow."""
