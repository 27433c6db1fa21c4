//! Connection strings in either form.

use super::error::{ConfigError, ParameterOrigin};
use super::parameters::Parameters;
use super::{conninfo, uri};

/// Parses a URI, or else `keyword=value` words.
pub(super) fn parse(text: &str, origin: ParameterOrigin) -> Result<Parameters, ConfigError> {
    let mut parameters = Parameters::default();
    match uri::strip_scheme(text) {
        Some(start) => uri::parse(text, start, origin, &mut parameters)?,
        None => conninfo::parse(text, origin, &mut parameters)?,
    }
    Ok(parameters)
}
