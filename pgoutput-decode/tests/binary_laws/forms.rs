//! What servers send for each built-in type, written by the rules of its send function.

use pgoutput_decode::Oid;
use pgoutput_decode::value::{FieldType, PgType, type_oid};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

type Form = BoxedStrategy<Vec<u8>>;

/// `None` for a type that has no reader.
pub(crate) fn form(oid: Oid) -> Option<Form> {
    if let Some(element) = PgType::from_oid(oid)?.element() {
        return form(element).map(|form| array(element, form));
    }
    if let Some(subtype) = range_subtype(oid) {
        return form(subtype).map(range);
    }
    if let Some(range) = multirange_range(oid) {
        return form(range).map(|range| counted(vec(sized(range), 0..4)));
    }
    Some(match oid {
        type_oid::BOOL => select(vec![vec![0], vec![1]]).boxed(),
        type_oid::INT2 => bytes(2),
        type_oid::INT4 | type_oid::OID | type_oid::XID | type_oid::CID => bytes(4),
        oid if FieldType::new(oid).is_reg() => bytes(4),
        type_oid::INT8
        | type_oid::MONEY
        | type_oid::XID8
        | type_oid::PG_LSN
        | type_oid::MACADDR8 => bytes(8),
        type_oid::MACADDR | type_oid::TID => bytes(6),
        type_oid::UUID | type_oid::INTERVAL => bytes(16),
        type_oid::CHAR => bytes(1),
        type_oid::BYTEA => vec(any::<u8>(), 0..20).boxed(),
        type_oid::FLOAT4 => float4(),
        type_oid::FLOAT8 => floats(1),
        type_oid::POINT => floats(2),
        type_oid::LINE | type_oid::CIRCLE => floats(3),
        type_oid::LSEG | type_oid::BOX => floats(4),
        type_oid::PATH => {
            (any::<bool>(), points()).prop_map(|(closed, p)| [vec![closed.into()], p].concat()).boxed()
        }
        type_oid::POLYGON => points(),
        type_oid::NUMERIC => numeric(),
        type_oid::TEXT
        | type_oid::VARCHAR
        | type_oid::BPCHAR
        | type_oid::NAME
        | type_oid::XML
        | type_oid::UNKNOWN
        | type_oid::CSTRING
        | type_oid::REFCURSOR
        | type_oid::PG_NODE_TREE => text(),
        type_oid::JSON => document(),
        type_oid::JSONB | type_oid::JSONPATH => {
            document().prop_map(|document| [&[1][..], &document].concat()).boxed()
        }
        type_oid::DATE => {
            prop_oneof![8 => -2_451_545_i32..=2_145_031_948, 1 => Just(i32::MAX), 1 => Just(i32::MIN)]
                .prop_map(|days| days.to_be_bytes().to_vec())
                .boxed()
        }
        type_oid::TIME => time(),
        type_oid::TIMETZ => {
            let west = -57_599..57_600_i32;
            (time(), west).prop_map(|(t, west)| [&t[..], &west.to_be_bytes()].concat()).boxed()
        }
        type_oid::TIMESTAMP | type_oid::TIMESTAMPTZ => {
            let finite = -211_813_488_000_000_000..=9_223_371_331_199_999_999_i64;
            prop_oneof![8 => finite, 1 => Just(i64::MAX), 1 => Just(i64::MIN)]
                .prop_map(|micros| micros.to_be_bytes().to_vec())
                .boxed()
        }
        type_oid::INET => address(false),
        type_oid::CIDR => address(true),
        type_oid::BIT | type_oid::VARBIT => bits(),
        type_oid::PG_SNAPSHOT | type_oid::TXID_SNAPSHOT => snapshot(),
        type_oid::TSVECTOR => tsvector(),
        type_oid::TSQUERY => tsquery(),
        type_oid::INT2VECTOR => vector(type_oid::INT2, bytes(2)),
        type_oid::OIDVECTOR => vector(type_oid::OID, bytes(4)),
        _ => return None,
    })
}

fn range_subtype(oid: Oid) -> Option<Oid> {
    Some(match oid {
        type_oid::INT4RANGE => type_oid::INT4,
        type_oid::INT8RANGE => type_oid::INT8,
        type_oid::NUMRANGE => type_oid::NUMERIC,
        type_oid::DATERANGE => type_oid::DATE,
        type_oid::TSRANGE => type_oid::TIMESTAMP,
        type_oid::TSTZRANGE => type_oid::TIMESTAMPTZ,
        _ => return None,
    })
}

fn multirange_range(oid: Oid) -> Option<Oid> {
    Some(match oid {
        type_oid::INT4MULTIRANGE => type_oid::INT4RANGE,
        type_oid::INT8MULTIRANGE => type_oid::INT8RANGE,
        type_oid::NUMMULTIRANGE => type_oid::NUMRANGE,
        type_oid::DATEMULTIRANGE => type_oid::DATERANGE,
        type_oid::TSMULTIRANGE => type_oid::TSRANGE,
        type_oid::TSTZMULTIRANGE => type_oid::TSTZRANGE,
        _ => return None,
    })
}

fn bytes(len: usize) -> Form {
    prop_oneof![8 => vec(any::<u8>(), len), 1 => Just(vec![0; len]), 1 => Just(vec![0xFF; len])]
        .boxed()
}

fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap().to_be_bytes()
}

fn sized(form: Form) -> Form {
    form.prop_map(|bytes| [&length(&bytes)[..], &bytes].concat()).boxed()
}

/// How many there are, and they.
fn counted(forms: impl Strategy<Value = Vec<Vec<u8>>> + 'static) -> Form {
    let count = |forms: &Vec<Vec<u8>>| u32::try_from(forms.len()).unwrap().to_be_bytes();
    forms.prop_map(move |forms| [&count(&forms)[..], &forms.concat()].concat()).boxed()
}

/// No zero byte: no text of a server has one.
fn string() -> BoxedStrategy<String> {
    let characters: Vec<_> = "'\"\\{}()[],;:<>&|!* \t\nNul0aé😀\u{a0}\u{b}".chars().collect();
    vec(select(characters), 0..8).prop_map(|all| all.into_iter().collect()).boxed()
}

fn text() -> Form {
    string().prop_map(String::into_bytes).boxed()
}

/// A string in quotes, which is a JSON document and a path as well.
fn document() -> Form {
    string().prop_map(|text| serde_json::to_vec(&text).unwrap()).boxed()
}

/// NaN in the one form that its text has.
fn float8() -> Form {
    let plain = |number: f64| if number.is_nan() { f64::NAN } else { number };
    prop_oneof![
        4 => any::<u64>().prop_map(f64::from_bits),
        2 => -1e9..1e9,
        1 => select(vec![0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE]),
    ]
    .prop_map(move |number| plain(number).to_be_bytes().to_vec())
    .boxed()
}

fn floats(count: usize) -> Form {
    vec(float8(), count).prop_map(|floats| floats.concat()).boxed()
}

fn float4() -> Form {
    let plain = |number: f32| if number.is_nan() { f32::NAN } else { number };
    let number = prop_oneof![any::<u32>().prop_map(f32::from_bits), -1e6..1e6_f32];
    number.prop_map(move |number| plain(number).to_be_bytes().to_vec()).boxed()
}

fn points() -> Form {
    counted(vec(floats(2), 1..5))
}

fn time() -> Form {
    (0..=86_400_000_000_i64).prop_map(|micros| micros.to_be_bytes().to_vec()).boxed()
}

/// Groups of four decimal digits, the first and the last of which are not zero, anywhere around the point.
fn numeric() -> Form {
    let group =
        prop_oneof![1 => Just(0_u16), 4 => 0..10_000_u16, 1 => select(vec![1, 10, 1000, 9999])];
    let weight = prop_oneof![8 => -6..12_i32, 1 => -4096..=32_767, 1 => Just(32_767)];
    let finite = (
        vec(group, 0..12),
        weight,
        0..4_usize,
        any::<bool>(),
        prop_oneof![4 => 0..9_i32, 1 => 0..16_384],
    );
    let finite = finite.prop_map(|(mut groups, weight, cut, negative, more)| {
        let first = groups.iter().position(|group| *group != 0).unwrap_or(groups.len());
        groups.drain(..first);
        while groups.last() == Some(&0) {
            groups.pop();
        }
        // Decimal digits behind the point, zeros at the end of the last group left out as far as wanted.
        let digits = |groups: &[u16]| 4 * (i32::try_from(groups.len()).unwrap() - 1 - weight);
        while digits(&groups) > 16_383 {
            groups.pop();
        }
        while groups.last() == Some(&0) {
            groups.pop();
        }
        let trailing = groups
            .last()
            .map_or(0, |last| (1..4).take_while(|n| last % 10_u16.pow(*n) == 0).count());
        let least = (digits(&groups) - i32::try_from(trailing.min(cut)).unwrap()).max(0);
        let scale = u16::try_from((least + more).min(16_383)).unwrap();
        let (weight, negative) = if groups.is_empty() { (0, false) } else { (weight, negative) };
        let sign = if negative { 0x4000 } else { 0 };
        let weight = i16::try_from(weight).unwrap().cast_unsigned();
        let head = [u16::try_from(groups.len()).unwrap(), weight, sign, scale];
        head.iter().chain(&groups).flat_map(|part| part.to_be_bytes()).collect()
    });
    let special = [[0, 0, 0xC0, 0, 0, 0], [0, 0, 0xD0, 0, 0, 32], [0, 0, 0xF0, 0, 0, 32]];
    let special = special.map(|tail| [&[0, 0][..], &tail].concat());
    prop_oneof![12 => finite, 1 => select(special.to_vec())].boxed()
}

fn address(is_cidr: bool) -> Form {
    (any::<bool>(), any::<u128>(), any::<u128>(), any::<u128>(), 0..=128_u8)
        .prop_map(move |(is_v6, address, zeros, more_zeros, netmask)| {
            let (family, width) = if is_v6 { (3, 128) } else { (2, 32) };
            let netmask = netmask % (width + 1);
            // Rows of zero bits, which the text of an address shortens.
            let mut bits = (address & zeros & more_zeros) << (128 - width) >> (128 - width);
            if is_cidr {
                let host = u32::from(width - netmask);
                bits &= u128::MAX.checked_shl(host).unwrap_or(0);
            }
            let len = width / 8;
            let address = &bits.to_be_bytes()[16 - usize::from(len)..];
            [&[family, netmask, is_cidr.into(), len], address].concat()
        })
        .boxed()
}

fn bits() -> Form {
    vec(any::<bool>(), 0..40)
        .prop_map(|bits| {
            let byte = |bits: &[bool]| {
                bits.iter().enumerate().fold(0, |byte, (at, bit)| byte | u8::from(*bit) << (7 - at))
            };
            let count = u32::try_from(bits.len()).unwrap().to_be_bytes();
            count.into_iter().chain(bits.chunks(8).map(byte)).collect()
        })
        .boxed()
}

fn snapshot() -> Form {
    (any::<[u64; 2]>(), vec(any::<u64>(), 0..5))
        .prop_map(|(ends, xids)| {
            let count = u32::try_from(xids.len()).unwrap().to_be_bytes();
            let numbers = ends.iter().chain(&xids).flat_map(|xid| xid.to_be_bytes());
            count.into_iter().chain(numbers).collect()
        })
        .boxed()
}

fn tsvector() -> Form {
    let places = vec(any::<u16>(), 0..4).prop_map(|places| {
        let count = u16::try_from(places.len()).unwrap();
        [count].iter().chain(&places).flat_map(|place| place.to_be_bytes()).collect::<Vec<u8>>()
    });
    counted(vec(
        (text(), places).prop_map(|(lexeme, places)| [&lexeme, &b"\0"[..], &places].concat()),
        0..4,
    ))
}

/// Each operator in front of its operands, the right one first.
fn tsquery() -> Form {
    let lexeme = (text(), 0..16_u8, any::<bool>()).prop_map(|(lexeme, weights, is_prefix)| {
        (1_u32, [&[1, weights, is_prefix.into()][..], &lexeme, b"\0"].concat())
    });
    let query = lexeme.prop_recursive(6, 40, 2, |operand| {
        let phrase =
            any::<u16>().prop_map(|distance| [&[2, 4][..], &distance.to_be_bytes()].concat());
        let operator =
            prop_oneof![Just(vec![2, 2]), Just(vec![2, 3]), phrase, Just(vec![2, 4, 0, 1])];
        let both =
            (operator, operand.clone(), operand.clone()).prop_map(|(operator, right, left)| {
                (1 + right.0 + left.0, [operator, right.1, left.1].concat())
            });
        let not = operand.prop_map(|(count, of)| (count + 1, [&[2, 1][..], &of].concat()));
        prop_oneof![3 => both, 1 => not]
    });
    prop_oneof![9 => query, 1 => Just((0, Vec::new()))]
        .prop_map(|(count, items)| [&count.to_be_bytes()[..], &items].concat())
        .boxed()
}

fn array(element: Oid, form: Form) -> Form {
    let dimension = (1..4_u32, prop_oneof![3 => Just(1), 1 => -9..9_i32]);
    prop_oneof![4 => vec(dimension.clone(), 0..=1), 1 => vec(dimension, 2..=6)]
        .prop_flat_map(move |dimensions| {
            let product = dimensions.iter().map(|(len, _)| *len as usize).product();
            let (dimensions, count) = match dimensions.len() {
                0 => (dimensions, 0),
                many if product > 12 => (vec![(1, 1); many], 1),
                _ => (dimensions, product),
            };
            (Just(dimensions), vec(option::weighted(0.8, form.clone()), count))
        })
        .prop_map(move |(dimensions, elements)| array_of(element, &dimensions, &elements))
        .boxed()
}

fn vector(element: Oid, form: Form) -> Form {
    vec(form.prop_map(Some), 0..5)
        .prop_map(move |elements| {
            array_of(element, &[(u32::try_from(elements.len()).unwrap(), 0)], &elements)
        })
        .boxed()
}

fn array_of(element: Oid, dimensions: &[(u32, i32)], elements: &[Option<Vec<u8>>]) -> Vec<u8> {
    let mut out = u32::try_from(dimensions.len()).unwrap().to_be_bytes().to_vec();
    out.extend(u32::from(elements.iter().any(Option::is_none)).to_be_bytes());
    out.extend(element.as_u32().to_be_bytes());
    for (len, lower) in dimensions {
        out.extend(len.to_be_bytes());
        out.extend(lower.to_be_bytes());
    }
    for element in elements {
        match element {
            None => out.extend([0xFF; 4]),
            Some(element) => {
                out.extend(length(element));
                out.extend(element);
            }
        }
    }
    out
}

fn range(subtype: Form) -> Form {
    let bound = option::weighted(0.8, (sized(subtype), any::<bool>()));
    let bounds = (bound.clone(), bound).prop_map(|(lower, upper)| {
        let mut out = vec![0];
        for (bound, [inclusive, infinite]) in [(lower, [2, 8]), (upper, [4, 16])] {
            match bound {
                None => out[0] |= infinite,
                Some((bound, is_inclusive)) => {
                    out[0] |= if is_inclusive { inclusive } else { 0 };
                    out.extend(bound);
                }
            }
        }
        out
    });
    prop_oneof![9 => bounds, 1 => Just(vec![1])].boxed()
}
