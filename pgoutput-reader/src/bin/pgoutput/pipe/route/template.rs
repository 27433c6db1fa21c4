//! Names of topics with variables.

use super::TopicRules;

/// The name of a topic with variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Name,
    Database,
    Schema,
    Table,
}

/// The values of the variables.
pub(super) struct Variables<'a> {
    pub(super) name: &'a str,
    pub(super) database: &'a str,
    pub(super) schema: &'a str,
    pub(super) table: &'a str,
}

const EXPECTED: &str = "expected {name}, {database}, {schema} or {table}";

impl Template {
    /// Reads the text of `--topic`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            if !before.is_empty() {
                parts.push(Part::Text(before.into()));
            }
            let (name, after) = after.split_once('}').ok_or("a { without its }")?;
            parts.push(match name {
                "name" => Part::Name,
                "database" => Part::Database,
                "schema" => Part::Schema,
                "table" => Part::Table,
                _ => return Err(EXPECTED.into()),
            });
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.into()));
        }
        if parts.is_empty() { Err("the topic is empty".into()) } else { Ok(Self(parts)) }
    }

    /// Returns the topic for these values, as the engine allows it.
    pub(super) fn fill(&self, rules: TopicRules, variables: &Variables<'_>) -> String {
        let mut topic = String::new();
        for part in &self.0 {
            match (part, part.value(variables)) {
                (_, Some(value)) => topic.push_str(&rules.value(value)),
                (Part::Text(text), _) => topic.push_str(text),
                _ => {}
            }
        }
        rules.topic(topic)
    }

    /// Returns whether each table is meant to have its own topic. Otherwise tables share topics on
    /// purpose.
    pub(super) fn distinguishes_tables(&self) -> bool {
        self.0.contains(&Part::Table)
    }

    /// Returns the values that the template names, which determine the topic.
    pub(super) fn identity(&self, variables: &Variables<'_>) -> String {
        let values = self.0.iter().filter_map(|part| part.value(variables));
        let quoted: Vec<_> = values.map(|value| format!("{value:?}")).collect();
        quoted.join(".")
    }
}

impl Part {
    fn value<'a>(&self, variables: &Variables<'a>) -> Option<&'a str> {
        Some(match self {
            Self::Text(_) => return None,
            Self::Name => variables.name,
            Self::Database => variables.database,
            Self::Schema => variables.schema,
            Self::Table => variables.table,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDERS: Variables<'_> =
        Variables { name: "shop", database: "app", schema: "public", table: "orders" };

    fn fill(template: &str) -> String {
        Template::parse(template).unwrap().fill(TopicRules::Any, &ORDERS)
    }

    #[test]
    fn variables_are_replaced_and_text_stays() {
        assert_eq!(fill("{name}.{schema}.{table}"), "shop.public.orders");
        assert_eq!(fill("{database}/x}{table}"), "app/x}orders");
        assert_eq!(fill("changes"), "changes");
    }

    #[test]
    fn other_variables_and_an_open_brace_are_errors() {
        for (template, error) in [
            ("{tabel}", EXPECTED),
            ("{}", EXPECTED),
            ("x{table", "a { without its }"),
            ("", "the topic is empty"),
        ] {
            assert_eq!(Template::parse(template), Err(error.to_owned()), "{template}");
        }
    }

    #[test]
    fn only_a_template_with_the_table_distinguishes_tables() {
        let distinguishes = |text| Template::parse(text).unwrap().distinguishes_tables();
        assert!(distinguishes("{table}"));
        assert!(!distinguishes("{name}.{schema}"));
    }
}
