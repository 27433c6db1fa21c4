//! Integration tests of the workspace on real servers.
