//! Subjects of messages.

/// Appends a topic as a subject. What a subject cannot contain (spaces, `*`, `>`, control
/// characters) and `%` are percent-encoded.
///
/// # Errors
/// The reason as text, if a name between dots is empty, or the first one is reserved.
pub(super) fn append(topic: &str, line: &mut Vec<u8>) -> Result<(), &'static str> {
    if topic.split('.').any(str::is_empty) {
        return Err("it has an empty name beside a dot");
    }
    if topic.starts_with('$') {
        return Err("names that start with $ belong to the server");
    }
    if !topic.bytes().any(needs_encoding) {
        line.extend_from_slice(topic.as_bytes());
        return Ok(());
    }
    for byte in topic.bytes() {
        if needs_encoding(byte) {
            line.extend_from_slice(format!("%{byte:02X}").as_bytes());
        } else {
            line.push(byte);
        }
    }
    Ok(())
}

fn needs_encoding(byte: u8) -> bool {
    byte <= b' ' || matches!(byte, b'*' | b'>' | b'%' | 0x7f)
}

/// Returns whether a subject matches one of a stream, in which `*` stands for one name and `>` for
/// one or more at the end.
pub(super) fn matches(subject: &str, pattern: &str) -> bool {
    let (mut names, mut patterns) = (subject.split('.'), pattern.split('.'));
    loop {
        match (names.next(), patterns.next()) {
            (None, None) | (Some(_), Some(">")) => return true,
            (Some(_), Some("*")) => {}
            (Some(name), Some(pattern)) if name == pattern => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(topic: &str) -> Result<String, &'static str> {
        let mut line = Vec::new();
        append(topic, &mut line)?;
        Ok(String::from_utf8(line).unwrap())
    }

    #[test]
    fn a_subject_has_no_wildcards_and_no_spaces() {
        assert_eq!(subject("app.public.users").unwrap(), "app.public.users");
        assert_eq!(subject("a.my table.*").unwrap(), "a.my%20table.%2A");
        assert_eq!(subject("a.x\r\ny.>").unwrap(), "a.x%0D%0Ay.%3E");
        assert_eq!(subject("a.50%.ü").unwrap(), "a.50%25.ü");
        for wrong in ["", ".a", "a.", "a..b", "$JS.API.x"] {
            assert!(subject(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn wildcards_match() {
        for (subject, pattern, expected) in [
            ("a.b", "a.b", true),
            ("a.b", "a.*", true),
            ("a.b", "*.b", true),
            ("a.b", ">", true),
            ("a.b.c", "a.>", true),
            ("a", "a.>", false),
            ("a.b.c", "a.*", false),
            ("a.b", "a.c", false),
            ("a", "a.b", false),
        ] {
            assert_eq!(matches(subject, pattern), expected, "{subject} {pattern}");
        }
    }
}
