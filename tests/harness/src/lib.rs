//! Throwaway PostgreSQL servers for tests and examples.
