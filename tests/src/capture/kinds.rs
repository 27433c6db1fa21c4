//! What a capture holds, in letters.

use super::Capture;

/// The first byte of every message, a line for each section that has any.
pub fn kinds(capture: &Capture) -> String {
    let mut lines = String::new();
    for section in capture.sections.iter().filter(|section| !section.frames.is_empty()) {
        let tags = section.frames.iter().filter_map(|frame| frame.bytes.first());
        lines += &section.title;
        lines += ": ";
        lines.extend(tags.map(|tag| char::from(*tag)));
        lines.push('\n');
    }
    lines
}
