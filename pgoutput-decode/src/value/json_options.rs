//! Options of the JSON form of values, and what the JSON does not show.

/// Options of the JSON form of values.
///
/// ```
/// use pgoutput_decode::value::{Field, Format, JsonOptions, type_oid};
///
/// let field = Field::new(type_oid::NUMERIC, Format::Text, b"0.10");
/// let mut json = String::new();
/// field.write_json(&mut json, JsonOptions::default().numeric_as_string(true))?;
/// assert_eq!(json, "\"0.10\"");
/// # Ok::<(), pgoutput_decode::value::ValueError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct JsonOptions {
    pub(super) numeric_as_string: bool,
    pub(super) bigint_as_string: bool,
    pub(super) nesting: u8,
}

impl JsonOptions {
    /// Writes `numeric` as a string, for JSON parsers that read numbers as floats.
    ///
    /// By default it is a number with all its digits. A number of 10^308 or greater in magnitude,
    /// which such parsers reject, is always a string.
    #[must_use]
    pub const fn numeric_as_string(mut self, yes: bool) -> Self {
        self.numeric_as_string = yes;
        self
    }

    /// Writes a `bigint` or `xid8` of more than 2^53 - 1 in magnitude as a string, also in arrays
    /// and composites. JSON parsers that read numbers as floats, such as those of JavaScript, would
    /// round it. By default it is a number.
    ///
    /// Smaller integers remain numbers. Numbers inside `json` and `jsonb` documents are not
    /// changed, and ranges are always strings.
    ///
    /// ```
    /// use pgoutput_decode::value::{Field, Format, JsonOptions, type_oid};
    ///
    /// let array = b"{9007199254740991,-9007199254740992}";
    /// let field = Field::new(type_oid::INT8_ARRAY, Format::Text, array);
    /// let mut json = String::new();
    /// field.write_json(&mut json, JsonOptions::default().bigint_as_string(true))?;
    /// assert_eq!(json, r#"[9007199254740991,"-9007199254740992"]"#);
    /// # Ok::<(), pgoutput_decode::value::ValueError>(())
    /// ```
    #[must_use]
    pub const fn bigint_as_string(mut self, yes: bool) -> Self {
        self.bigint_as_string = yes;
        self
    }

    /// Declares that the value is written inside this many more arrays and objects; by default 0.
    ///
    /// They count towards [`MAX_JSON_NESTING`], the depth beyond which a document is written as a
    /// string.
    #[must_use]
    pub const fn nested_in(mut self, levels: u8) -> Self {
        self.nesting = self.nesting.saturating_add(levels);
        self
    }
}

/// The greatest depth to which arrays and objects are nested in JSON: the default limit of
/// `serde_json`.
///
/// A `json` or `jsonb` document that is nested deeper, counting the values around it, is written as
/// a string.
pub const MAX_JSON_NESTING: u8 = 127;

/// The facts that the JSON of a value does not show; returned by
/// [`Field::write_json_noted`](super::Field::write_json_noted).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct JsonNotes {
    /// A `json` or `jsonb` document in the value is written as a string that contains its text. The
    /// document is nested too deeply, contains half of a surrogate pair (`"\ud800"`) or a number of
    /// 10^308 or greater in magnitude, or is not valid JSON. Also set if a `numeric` of 10^308 or
    /// greater in magnitude is written as a string although this was not requested.
    pub as_text: bool,
    /// A `null` in the value is a `json` or `jsonb` document that contains `null`, not NULL.
    pub json_null: bool,
    /// An array in the value has a lower bound other than 1.
    pub array_bounds: bool,
}
