"""The plan of `jobs.plan` as an Airflow 3 DAG."""
