//! Frames to be decoded, one behind the other as in a receive buffer.

/// Messages as a server sends them.
#[derive(Debug, Clone)]
pub struct Input {
    /// What they are.
    pub name: String,
    /// CopyData messages, end to end.
    stream: Vec<u8>,
    /// Where each message's frame starts and ends in it.
    frames: Vec<(usize, usize, bool)>,
}

/// One message of an [`Input`].
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// What a decoder takes.
    pub bytes: &'a [u8],
    /// Whether it stands in a streamed chunk.
    pub in_stream: bool,
}

impl Input {
    /// Nothing yet.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), stream: Vec::new(), frames: Vec::new() }
    }

    /// Adds a message.
    ///
    /// # Panics
    /// On one of 4 GiB.
    pub fn push(&mut self, frame: &[u8], in_stream: bool) {
        let length = u32::try_from(4 + 25 + frame.len()).expect("frames are small");
        self.stream.push(b'd');
        self.stream.extend_from_slice(&length.to_be_bytes());
        self.stream.push(b'w');
        // A position that rises, twice, and a time.
        let lsn = 0x1_0000_0000 + self.stream.len() as u64;
        for field in [lsn, lsn, 0x0003_03e0_cb83_1c7e] {
            self.stream.extend_from_slice(&field.to_be_bytes());
        }
        let start = self.stream.len();
        self.stream.extend_from_slice(frame);
        self.frames.push((start, self.stream.len(), in_stream));
    }

    /// The messages' frames.
    pub fn frames(&self) -> impl ExactSizeIterator<Item = Frame<'_>> {
        self.frames
            .iter()
            .map(|&(start, end, in_stream)| Frame { bytes: &self.stream[start..end], in_stream })
    }

    /// Everything as it arrives: CopyData messages, end to end.
    pub fn stream(&self) -> &[u8] {
        &self.stream
    }

    /// How many messages there are.
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// The same messages again and again, as long as they fit into `bytes`.
    #[must_use]
    pub fn repeated_to(&self, bytes: usize) -> Self {
        let mut longer = Self::new(self.name.clone());
        while !self.is_empty() && longer.stream.len() + self.stream.len() <= bytes {
            self.frames().for_each(|frame| longer.push(frame.bytes, frame.in_stream));
        }
        if longer.is_empty() { self.clone() } else { longer }
    }
}

/// The inputs whose name starts with the program's first argument that is no option; without one, all.
///
/// # Errors
/// When there is none, with the names that there are.
pub fn selected(inputs: Vec<Input>) -> Result<Vec<Input>, String> {
    let Some(wanted) = std::env::args().skip(1).find(|argument| !argument.starts_with('-')) else {
        return Ok(inputs);
    };
    let names: Vec<_> = inputs.iter().map(|input| input.name.clone()).collect();
    let inputs: Vec<_> =
        inputs.into_iter().filter(|input| input.name.starts_with(&wanted)).collect();
    if inputs.is_empty() {
        return Err(format!(
            "no input has a name that starts with {wanted:?}; there are {}",
            names.join(", ")
        ));
    }
    Ok(inputs)
}
