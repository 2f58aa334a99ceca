"""The suite, the tables and the report that these tests share."""

from tests.support.report_fixtures import built, evidence, sample, suite, table  # noqa: F401
