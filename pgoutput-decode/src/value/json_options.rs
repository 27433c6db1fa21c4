//! Choices in the JSON form of values, and what the JSON alone does not say of a value.

/// Choices in the JSON form of values.
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
    /// Writes `numeric` as a string, for readers of JSON whose numbers are floats. Default: a number with
    /// all its digits, or a string if the number is 10^308 or beyond, which such readers refuse.
    #[must_use]
    pub const fn numeric_as_string(mut self, yes: bool) -> Self {
        self.numeric_as_string = yes;
        self
    }

    /// Writes a `bigint` or `xid8` beyond 2^53 - 1 in either direction as a string, also in arrays and
    /// composites: readers of JSON whose numbers are floats, as those of JavaScript, round it. Default: a number.
    ///
    /// Smaller integers stay numbers. Numbers inside `json` and `jsonb` documents are left as they are; ranges are
    /// strings in any case.
    ///
    /// ```
    /// use pgoutput_decode::value::{Field, Format, JsonOptions, type_oid};
    ///
    /// let field = Field::new(type_oid::INT8_ARRAY, Format::Text, b"{9007199254740991,-9007199254740992}");
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

    /// Says that the value is written into so many more nested arrays and objects, 0 unless called.
    ///
    /// They count towards [`MAX_JSON_NESTING`], which decides how deep a document may be before it is written as a
    /// string.
    #[must_use]
    pub const fn nested_in(mut self, levels: u8) -> Self {
        self.nesting = self.nesting.saturating_add(levels);
        self
    }
}

/// How deep arrays and objects are nested in JSON at most: as deep as `serde_json` reads them unless told otherwise.
///
/// A `json` or `jsonb` document that is nested deeper, what it stands in included, is written as a string.
pub const MAX_JSON_NESTING: u8 = 127;

/// What the JSON of a value does not say: given by [`Field::write_json_noted`](super::Field::write_json_noted).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct JsonNotes {
    /// A `json` or `jsonb` document in it, which may be all of it, is written as a string that holds the document's
    /// text: it is nested too deep, holds half of a surrogate pair (`"\ud800"`) or a number of 10^308 or beyond, or is no
    /// JSON at all. Or a `numeric` of 10^308 or beyond is written as a string without being asked for.
    pub as_text: bool,
    /// A `null` in it, which may be all of it, is a `json` or `jsonb` document that holds `null`, and not NULL.
    pub json_null: bool,
    /// An array in it, which may be all of it, does not begin to count at 1.
    pub array_bounds: bool,
}
