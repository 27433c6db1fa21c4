//! Frames to decode, one after the other as in a receive buffer.

/// Messages as a server sends them.
#[derive(Debug, Clone)]
pub struct Input {
    /// A name that describes them.
    pub name: String,
    /// CopyData messages, one after the other.
    stream: Vec<u8>,
    /// The start and the end of each message's frame in `stream`.
    frames: Vec<(usize, usize, bool)>,
}

/// One message of an [`Input`].
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    /// The bytes that a decoder takes.
    pub bytes: &'a [u8],
    /// Whether it is inside a chunk of an in-progress transaction.
    pub in_stream: bool,
}

impl Input {
    /// Creates an empty input.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), stream: Vec::new(), frames: Vec::new() }
    }

    /// Adds a message.
    ///
    /// # Panics
    /// If it is 4 GiB long or longer.
    pub fn push(&mut self, frame: &[u8], in_stream: bool) {
        let length = u32::try_from(4 + 25 + frame.len()).expect("frames are small");
        self.stream.push(b'd');
        self.stream.extend_from_slice(&length.to_be_bytes());
        self.stream.push(b'w');
        // Two LSNs, which rise, and a timestamp.
        let lsn = 0x1_0000_0000 + self.stream.len() as u64;
        for field in [lsn, lsn, 0x0003_03e0_cb83_1c7e] {
            self.stream.extend_from_slice(&field.to_be_bytes());
        }
        let start = self.stream.len();
        self.stream.extend_from_slice(frame);
        self.frames.push((start, self.stream.len(), in_stream));
    }

    /// Returns the frames of the messages.
    pub fn frames(&self) -> impl ExactSizeIterator<Item = Frame<'_>> {
        self.frames
            .iter()
            .map(|&(start, end, in_stream)| Frame { bytes: &self.stream[start..end], in_stream })
    }

    /// Returns the bytes as they arrive: CopyData messages, one after the other.
    pub fn stream(&self) -> &[u8] {
        &self.stream
    }

    /// Returns the number of messages.
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Returns whether there are no messages.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Returns the same messages repeated as long as they fit into `bytes`.
    #[must_use]
    pub fn repeated_to(&self, bytes: usize) -> Self {
        let mut longer = Self::new(self.name.clone());
        while !self.is_empty() && longer.stream.len() + self.stream.len() <= bytes {
            self.frames().for_each(|frame| longer.push(frame.bytes, frame.in_stream));
        }
        if longer.is_empty() { self.clone() } else { longer }
    }
}

/// Returns the inputs whose name starts with the program's first argument that is not an option, or
/// all without such an argument.
///
/// # Errors
/// If there are none, with the names of all inputs.
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
