//! The types, their edge values, and their random values: a table for each family.

mod arrays;
mod datetime;
mod geometry;
mod identifiers;
mod network;
mod numbers;
mod ranges;
mod search;
mod text;
mod users;

/// Values of one type. Its array type is tested with the same values.
pub(crate) struct Case {
    pub(crate) ty: &'static str,
    /// The first major of PostgreSQL that has the type and all these values.
    pub(crate) since: u32,
    /// The statement that creates the type.
    pub(crate) setup: &'static [&'static str],
    /// Values in the type's text form.
    pub(crate) values: &'static [&'static str],
    /// Expressions, each evaluated for 100 rows numbered `g`.
    pub(crate) random: &'static [&'static str],
    pub(crate) binary: BinaryForm,
    pub(crate) has_floats: bool,
    /// Whether the JSON form is the result of `to_jsonb`.
    pub(crate) is_json_as_the_servers: bool,
    /// The cast to `text` of the output function's text, which differs for three types only.
    pub(crate) cast: fn(&str) -> String,
}

#[derive(PartialEq, Eq)]
pub(crate) enum BinaryForm {
    Missing,
    /// The text is equivalent.
    LikeText,
    /// The text does not determine it completely.
    Fuller,
}

const DEFAULT: Case = Case {
    ty: "",
    since: 10,
    setup: &[],
    values: &[],
    random: &[],
    binary: BinaryForm::LikeText,
    has_floats: false,
    is_json_as_the_servers: false,
    cast: str::to_owned,
};

const fn case(
    ty: &'static str,
    values: &'static [&'static str],
    random: &'static [&'static str],
) -> Case {
    Case { ty, values, random, ..DEFAULT }
}

impl Case {
    const fn since(mut self, major: u32) -> Self {
        self.since = major;
        self
    }

    const fn setup(mut self, setup: &'static [&'static str]) -> Self {
        self.setup = setup;
        self
    }

    pub(crate) fn has_binary(&self) -> bool {
        self.binary != BinaryForm::Missing
    }

    const fn text_only(mut self) -> Self {
        self.binary = BinaryForm::Missing;
        self
    }

    const fn floats(mut self) -> Self {
        self.has_floats = true;
        self
    }

    const fn json(mut self) -> Self {
        self.is_json_as_the_servers = true;
        self
    }

    const fn cast(mut self, cast: fn(&str) -> String) -> Self {
        self.cast = cast;
        self
    }

    const fn vague_text(mut self) -> Self {
        self.binary = BinaryForm::Fuller;
        self
    }
}

/// Returns every case. Types come after those that they consist of.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    [
        numbers::CASES,
        text::CASES,
        datetime::CASES,
        identifiers::CASES,
        network::CASES,
        geometry::CASES,
        search::CASES,
        arrays::CASES,
        ranges::CASES,
        users::CASES,
    ]
    .into_iter()
    .flatten()
}
