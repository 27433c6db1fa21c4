//! The recorded streams: protocol versions and options that change what is sent.

use std::ops::RangeInclusive;

use pgoutput_reader::{CreateSlot, Origin, StartReplication, StreamOptions, Streaming};

/// A set of options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the options that are on or off")]
pub struct Variant {
    /// The name of its file.
    pub name: &'static str,
    /// The first and the last major that it is recorded from.
    majors: (u32, u32),
    proto_version: u32,
    binary: bool,
    messages: bool,
    streaming: Streaming,
    two_phase: bool,
    local_only: bool,
}

const fn variant(name: &'static str, majors: RangeInclusive<u32>, proto_version: u32) -> Variant {
    Variant {
        name,
        majors: (*majors.start(), *majors.end()),
        proto_version,
        binary: false,
        messages: false,
        streaming: Streaming::Off,
        two_phase: false,
        local_only: false,
    }
}

/// All variants. Two whose names differ by `-binary` alone differ only in the format; see
/// [`Variant::text_of`].
///
/// Those up to 15 use the newest protocol of their version. Later versions send the same there.
const ALL: [Variant; 11] = [
    variant("proto1", 10..=13, 1),
    Variant { messages: true, ..variant("proto1-messages", 14..=NEWEST, 1) },
    Variant { messages: true, binary: true, ..variant("proto1-messages-binary", 14..=NEWEST, 1) },
    Variant {
        streaming: Streaming::On,
        messages: true,
        ..variant("proto2-streaming-messages", 14..=NEWEST, 2)
    },
    Variant {
        streaming: Streaming::On,
        messages: true,
        binary: true,
        ..variant("proto2-streaming-messages-binary", 14..=15, 2)
    },
    Variant { two_phase: true, ..variant("proto3-two_phase", 15..=15, 3) },
    Variant {
        streaming: Streaming::On,
        two_phase: true,
        messages: true,
        ..variant("proto3-streaming-two_phase-messages", 15..=NEWEST, 3)
    },
    Variant {
        streaming: Streaming::On,
        two_phase: true,
        ..variant("proto4-streaming-two_phase", 16..=NEWEST, 4)
    },
    Variant {
        streaming: Streaming::Parallel,
        two_phase: true,
        messages: true,
        ..variant("proto4-parallel-two_phase-messages", 16..=NEWEST, 4)
    },
    Variant {
        streaming: Streaming::Parallel,
        two_phase: true,
        messages: true,
        binary: true,
        ..variant("proto4-parallel-two_phase-messages-binary", 16..=NEWEST, 4)
    },
    Variant {
        streaming: Streaming::Parallel,
        local_only: true,
        ..variant("proto4-parallel-origin_none", 16..=NEWEST, 4)
    },
];

const NEWEST: u32 = *pgoutput_harness::MAJORS.end();

impl Variant {
    /// Returns the variants that are recorded from this major.
    pub fn of_major(major: u32) -> impl Iterator<Item = Self> {
        ALL.into_iter()
            .filter(move |variant| (variant.majors.0..=variant.majors.1).contains(&major))
    }

    /// Returns the name of the variant that sends text and has the same other options, for a
    /// variant that sends binary.
    pub fn text_of(name: &str) -> Option<&str> {
        name.strip_suffix("-binary")
    }

    pub(super) fn slot(&self, name: &str) -> CreateSlot {
        CreateSlot::new(name).temporary(true).two_phase(self.two_phase)
    }

    pub(super) fn start(&self, slot: &str, publication: &str) -> StartReplication {
        let mut options = StreamOptions::new()
            .proto_version(self.proto_version)
            .binary(self.binary)
            .messages(self.messages)
            .streaming(self.streaming)
            .two_phase(self.two_phase);
        if self.local_only {
            options = options.origin(Origin::None);
        }
        StartReplication::new(slot, [publication]).options(options)
    }

    /// Returns the options, as START_REPLICATION spells them.
    pub(super) fn options(&self) -> String {
        let mut options = format!("proto_version '{}'", self.proto_version);
        let streaming = match self.streaming {
            Streaming::On => ", streaming 'on'",
            Streaming::Parallel => ", streaming 'parallel'",
            _ => "",
        };
        for (is_selected, text) in [
            (true, streaming),
            (self.two_phase, ", two_phase 'on'"),
            (self.messages, ", messages 'true'"),
            (self.binary, ", binary 'true'"),
            (self.local_only, ", origin 'none'"),
        ] {
            if is_selected {
                options += text;
            }
        }
        options
    }
}

#[cfg(test)]
mod tests {
    use super::{ALL, Variant};

    #[test]
    fn a_binary_variant_differs_from_its_text_variant_only_in_the_format() {
        let find = |name| ALL.into_iter().find(|variant| variant.name == name);
        for binary in ALL.into_iter().filter(|variant| variant.binary) {
            let text = find(Variant::text_of(binary.name).unwrap()).unwrap();
            let majors = binary.majors;
            assert_eq!(Variant { name: binary.name, majors, binary: true, ..text }, binary);
        }
    }
}
