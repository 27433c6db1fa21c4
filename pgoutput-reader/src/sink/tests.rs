//! A pipe.
