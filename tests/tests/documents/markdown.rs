//! The parts of a Markdown file that the tests check.

/// A Markdown file.
#[derive(Debug, Default)]
pub(crate) struct Document {
    /// The fenced blocks, in order.
    pub(crate) blocks: Vec<Block>,
    /// The targets of its links, each with its line.
    pub(crate) links: Vec<(usize, String)>,
    /// The anchors of its headings.
    pub(crate) anchors: Vec<String>,
}

/// A fenced block.
#[derive(Debug)]
pub(crate) struct Block {
    /// The line of the fence, from 1.
    pub(crate) line: usize,
    /// The words after the opening fence, such as `rust,no_run`.
    pub(crate) info: String,
    pub(crate) text: String,
}

impl Document {
    pub(crate) fn parse(text: &str) -> Self {
        let mut document = Self::default();
        let mut open: Option<Block> = None;
        for (line, content) in (1..).zip(text.lines()) {
            let fence = content.trim_start().strip_prefix("```");
            match (&mut open, fence) {
                (None, Some(info)) => {
                    open = Some(Block { line, info: info.trim().to_owned(), text: String::new() });
                }
                (Some(_), Some("")) => document.blocks.extend(open.take()),
                (Some(block), _) => block.text.extend([content, "\n"]),
                (None, None) => document.prose(line, content),
            }
        }
        assert!(open.is_none(), "a fence is not closed: {open:?}");
        document
    }

    fn prose(&mut self, line: usize, content: &str) {
        if let Some(heading) = content.strip_prefix('#') {
            self.anchors.push(anchor(heading.trim_start_matches('#').trim()));
        }
        // Code spans are the odd pieces.
        let mut text = String::new();
        for (index, piece) in content.split('`').enumerate() {
            text += if index % 2 == 0 { piece } else { "code" };
        }
        for (before, _) in text.match_indices("](") {
            let target = &text[before + 2..];
            let target = target.split(')').next().unwrap_or_default();
            self.links.push((line, target.to_owned()));
        }
    }
}

/// Returns the anchor that GitHub creates for a heading.
fn anchor(heading: &str) -> String {
    let kept = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    heading.to_lowercase().chars().filter(|c| kept(*c)).collect::<String>().replace(' ', "-")
}

#[test]
fn a_document_is_split_into_anchors_links_and_blocks() {
    let text =
        "# One `two`, three\n[a](b.md#c) `[no](link)` [d](e)\n```rust,no_run\n# x\n[f](g)\n```\n";
    let document = Document::parse(text);
    assert_eq!(document.anchors, ["one-two-three"]);
    assert_eq!(document.links, [(2, "b.md#c".to_owned()), (2, "e".to_owned())]);
    let [block] = document.blocks.as_slice() else { panic!("{document:?}") };
    assert_eq!((block.line, block.info.as_str()), (3, "rust,no_run"));
    assert_eq!(block.text, "# x\n[f](g)\n");
}
