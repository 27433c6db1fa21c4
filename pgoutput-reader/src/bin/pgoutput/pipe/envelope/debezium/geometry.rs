//! `point`, and the geometries of PostGIS.

use std::iter;

use pgoutput_reader::decode::value::Point;

use super::bytes::base64;
use super::value::float8;

/// The byte order of well-known binary: little endian.
const LITTLE_ENDIAN: u8 = 1;
/// The type of a point.
const POINT: u32 = 1;
/// Set in the type if a reference system follows, in the form that PostGIS adds to the standard.
const HAS_SRID: u32 = 0x2000_0000;

/// Writes a point with its coordinates and its well-known binary.
pub(super) fn point(value: Point, out: &mut String) {
    let (x, y) = (value.x.0, value.y.0);
    out.push_str("{\"x\":");
    float8(x, out);
    out.push_str(",\"y\":");
    float8(y, out);
    out.push_str(",\"wkb\":");
    let coordinates = [x, y].into_iter().flat_map(f64::to_le_bytes);
    base64(iter::once(LITTLE_ENDIAN).chain(POINT.to_le_bytes()).chain(coordinates), out);
    out.push_str(",\"srid\":null}");
}

/// Writes a geometry that PostGIS sent as hexadecimal digits; `None` if it is none.
pub(super) fn hexadecimal(text: &str, out: &mut String) -> Option<()> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let digit =
        |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let byte = |[high, low]: &[u8; 2]| Some(digit(*high)? << 4 | digit(*low)?);
    let bytes: Vec<u8> = pairs.iter().map(byte).collect::<Option<_>>()?;
    extended(&bytes, out)
}

/// Writes a geometry in the extended well-known binary of PostGIS; `None` if it is none.
pub(super) fn extended(bytes: &[u8], out: &mut String) -> Option<()> {
    let (order, rest) = bytes.split_first()?;
    let number = |bytes: [u8; 4]| match *order {
        LITTLE_ENDIAN => u32::from_le_bytes(bytes),
        _ => u32::from_be_bytes(bytes),
    };
    let (ty, rest) = rest.split_first_chunk()?;
    out.push_str("{\"wkb\":");
    base64(bytes.iter().copied(), out);
    out.push_str(",\"srid\":");
    match rest.first_chunk().filter(|_| number(*ty) & HAS_SRID != 0) {
        Some(srid) => out.push_str(&number(*srid).to_string()),
        None => out.push_str("null"),
    }
    out.push('}');
    Some(())
}

#[cfg(test)]
mod tests {
    use pgoutput_reader::decode::value::{Field, Format, type_oid};

    use super::*;

    #[test]
    fn a_point_has_its_well_known_binary() {
        let field = Field::new(type_oid::POINT, Format::Text, b"(1,2.5)");
        let mut out = String::new();
        point(field.get().unwrap(), &mut out);
        // 01 01000000 000000000000f03f 0000000000000440
        let wkb = "AQEAAAAAAAAAAADwPwAAAAAAAARA";
        assert_eq!(out, format!(r#"{{"x":1.0,"y":2.5,"wkb":"{wkb}","srid":null}}"#));
    }

    #[test]
    fn a_geometry_has_its_reference_system() {
        // ST_GeomFromText('POINT(1 2.5)', 4326) and ST_GeomFromText('POINT(1 2.5)').
        let with = "0101000020E6100000000000000000F03F0000000000000440";
        let without = "0101000000000000000000F03F0000000000000440";
        let mut out = String::new();
        hexadecimal(with, &mut out).unwrap();
        assert_eq!(out, r#"{"wkb":"AQEAACDmEAAAAAAAAAAA8D8AAAAAAAAEQA==","srid":4326}"#);
        out.clear();
        hexadecimal(without, &mut out).unwrap();
        assert_eq!(out, r#"{"wkb":"AQEAAAAAAAAAAADwPwAAAAAAAARA","srid":null}"#);
        for text in ["", "01", "0", "xx01000000"] {
            assert_eq!(hexadecimal(text, &mut String::new()), None, "{text}");
        }
    }
}
