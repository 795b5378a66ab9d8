"""Contracts as users write them: models of datasets and rules, loading, messages, JSON schema.

Code that reads data, knows Dagster or imports a geospatial library belongs elsewhere.
"""
