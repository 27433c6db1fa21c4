//! Integration tests of the workspace on real servers, and the captures that tests, fuzzing and documentation share.

pub mod capture;
