"""The suite, the tables and the report that these tests share."""

from tests.support.report_fixtures import evidence, report_path, sample, suite, table  # noqa: F401
