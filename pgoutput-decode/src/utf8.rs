//! The check that bytes are UTF-8.

use core::str::{self, Utf8Error};

/// Returns the bytes as text, if they are UTF-8.
///
/// Most values are short and ASCII. Testing for ASCII takes a fraction of the time of a UTF-8
/// check.
#[inline]
pub(crate) fn text(bytes: &[u8]) -> Result<&str, Utf8Error> {
    #[cfg(feature = "ascii")]
    if let Ok(text) = ascii::AsciiStr::from_ascii(bytes) {
        return Ok(text.as_str());
    }
    str::from_utf8(bytes)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::String;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_error_has_the_offset_of_the_first_invalid_byte() {
        let error = text(b"plain, \xC3\xA9, \xFF, \xFE").unwrap_err();
        assert_eq!(error.valid_up_to(), 11);
    }

    proptest! {
        #[test]
        fn text_is_validated_like_the_standard_library(
            bytes in prop_oneof![
                any::<String>().prop_map(String::into_bytes),
                "[ -~]{0,40}é?[ -~]{0,40}".prop_map(String::into_bytes),
                proptest::collection::vec(any::<u8>(), 0..300),
                proptest::collection::vec(0_u8..0x82, 0..100),
            ]
        ) {
            prop_assert_eq!(text(&bytes), str::from_utf8(&bytes));
        }
    }
}
