//! Types of extensions that Debezium knows by name: those of PostGIS and pgvector.

use pgoutput_reader::decode::value::{FieldType, TypeKind, Value};

use super::geometry;
use super::value::float8;

/// Writes a value of such a type; `None` if it is of another type or has another form.
pub(super) fn write(ty: FieldType<'_>, value: &Value<'_>, out: &mut String) -> Option<()> {
    let info = ty.info()?;
    if !matches!(info.kind, TypeKind::Base | TypeKind::TextLike) {
        return None;
    }
    match (info.name, value) {
        ("geometry" | "geography", Value::Text(text)) => geometry::hexadecimal(text.as_str()?, out),
        ("geometry" | "geography", Value::Opaque(bytes)) => {
            geometry::extended(bytes.as_slice()?, out)
        }
        ("vector" | "halfvec", Value::Text(text)) => vector(text.as_str()?, out),
        ("sparsevec", Value::Text(text)) => sparse_vector(text.as_str()?, out),
        _ => None,
    }
}

/// Writes `[1,2.5]` as an array of floats.
fn vector(text: &str, out: &mut String) -> Option<()> {
    let numbers = text.strip_prefix('[')?.strip_suffix(']')?;
    let mut separator = '[';
    for number in numbers.split(',') {
        out.push(separator);
        separator = ',';
        float8(number.trim().parse().ok()?, out);
    }
    out.push(']');
    Some(())
}

/// Writes `{1:2.5,3:4}/5` as its number of dimensions, and pairs of an index and a float.
fn sparse_vector(text: &str, out: &mut String) -> Option<()> {
    let (pairs, dimensions) = text.strip_prefix('{')?.split_once("}/")?;
    let dimensions: u32 = dimensions.parse().ok()?;
    out.push_str("{\"dimensions\":");
    out.push_str(&dimensions.to_string());
    out.push_str(",\"vector\":[");
    for (number, pair) in pairs.split(',').filter(|pair| !pair.is_empty()).enumerate() {
        let (index, value) = pair.split_once(':')?;
        let index: u32 = index.trim().parse().ok()?;
        out.push_str(if number == 0 { "[" } else { ",[" });
        out.push_str(&index.to_string());
        out.push(',');
        float8(value.trim().parse().ok()?, out);
        out.push(']');
    }
    out.push_str("]}");
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_arrays() {
        let write = |write: fn(&str, &mut String) -> Option<()>, text| {
            let mut out = String::new();
            write(text, &mut out).map(|()| out)
        };
        assert_eq!(write(vector, "[1,2.5,-3e-07]").unwrap(), "[1.0,2.5,-3e-7]");
        let sparse = write(sparse_vector, "{1:2.5,3:4}/5").unwrap();
        assert_eq!(sparse, r#"{"dimensions":5,"vector":[[1,2.5],[3,4.0]]}"#);
        assert_eq!(write(sparse_vector, "{}/5").unwrap(), r#"{"dimensions":5,"vector":[]}"#);
        assert_eq!(write(vector, "1,2"), None);
        assert_eq!(write(vector, "[x]"), None);
    }
}
