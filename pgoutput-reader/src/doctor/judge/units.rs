//! Sizes and times as people read them.

/// Returns a size in the units of PostgreSQL's settings, as in `16 MB`.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "kB", "MB", "GB", "TB"];
    let mut unit = 0;
    let mut value = bytes;
    // As pg_size_pretty does: two significant digits at least.
    while value >= 10 * 1024 && unit + 1 < UNITS.len() {
        value /= 1024;
        unit += 1;
    }
    format!("{value} {}", UNITS[unit])
}

/// Returns a time, as in `3 min`.
pub(super) fn time(seconds: f64) -> String {
    let (divisor, unit) = match seconds {
        s if s < 120.0 => (1.0, "s"),
        s if s < 7200.0 => (60.0, "min"),
        s if s < 172_800.0 => (3600.0, "h"),
        _ => (86_400.0, "days"),
    };
    format!("{:.0} {unit}", seconds / divisor)
}

/// Reads the value of a timeout as it is written in a setting, in milliseconds.
pub(super) fn millis(value: &str) -> Option<f64> {
    let value = value.trim();
    let digits = value.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match value.get(digits.len()..)? {
        "us" => 0.001,
        "" | "ms" => 1.0,
        "s" => 1000.0,
        "min" => 60_000.0,
        "h" => 3_600_000.0,
        "d" => 86_400_000.0,
        _ => return None,
    };
    digits.trim().parse::<f64>().ok().map(|number| number * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_have_units() {
        assert_eq!(size(0), "0 bytes");
        assert_eq!(size(10 * 1024), "10 kB");
        assert_eq!(size(16 << 20), "16 MB");
        assert_eq!(size(u64::MAX), "16777215 TB");
        assert_eq!(time(61.2), "61 s");
        assert_eq!(time(7199.0), "120 min");
        assert_eq!(time(172_800.0), "2 days");
    }

    #[test]
    fn timeouts_are_read_as_settings_write_them() {
        for (value, expected) in
            [("5000", 5000.0), ("5s", 5000.0), (" 1.5 min", 90_000.0), ("0", 0.0), ("2d", 172.8e6)]
        {
            assert_eq!(millis(value), Some(expected), "{value}");
        }
        for value in ["", "s", "5 parsecs", "x"] {
            assert_eq!(millis(value), None, "{value}");
        }
    }
}
