//! The types, their edge values, and how more are made at random: a table for each family.

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

/// Values of one type. Its array type is tried with the same values.
pub(crate) struct Case {
    pub(crate) ty: &'static str,
    /// The first major of PostgreSQL that has the type, and all these values of it.
    pub(crate) since: u32,
    /// What creates the type.
    pub(crate) setup: &'static [&'static str],
    /// Values in the type's text form.
    pub(crate) values: &'static [&'static str],
    /// Expressions, each evaluated for 100 rows numbered `g`.
    pub(crate) random: &'static [&'static str],
    pub(crate) binary: BinaryForm,
    pub(crate) has_floats: bool,
    /// The JSON form is what `to_jsonb` makes of the value.
    pub(crate) is_json_as_the_servers: bool,
    /// What a cast to `text` makes of the text that the type's output function writes: the same, but for three types.
    pub(crate) cast: fn(&str) -> String,
}

#[derive(PartialEq, Eq)]
pub(crate) enum BinaryForm {
    Missing,
    /// The text tells everything that it does.
    LikeText,
    /// The text does not tell everything that it does.
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

/// Every case, in an order in which types come after those they are made of.
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
