"""Publication to PostGIS over asyncpg: tables, ledger, proof, ownership. All writes are here."""
