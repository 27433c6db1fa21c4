//! `inet` and `cidr`. Text: an address, optionally with `/` and the bits of its netmask. Binary:
//! family, bits, a flag and the address. JSON: a string.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::input::{Input, exactly};
use super::json_out::WriteJson;
use super::text::utf8;
use super::{Field, FieldType, FromField, FromFormats, ValueError, from_formats, type_oid};

/// An `inet`: an address with the number of bits of its netmask, 0 to 32 or 0 to 128.
///
/// `Display` prints PostgreSQL's text, which omits a full netmask.
///
/// ```
/// use pgoutput_decode::value::Inet;
///
/// let host = Inet::new([192, 168, 0, 1].into(), 24).unwrap();
/// assert_eq!(host.to_string(), "192.168.0.1/24");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Inet {
    address: IpAddr,
    netmask: u8,
}

/// A `cidr`: a network, given as an address whose bits after the netmask are zero.
///
/// `Display` prints PostgreSQL's text, always with the netmask.
///
/// ```
/// use pgoutput_decode::value::Cidr;
///
/// assert_eq!(Cidr::new([10, 0, 0, 0].into(), 8).unwrap().to_string(), "10.0.0.0/8");
/// assert_eq!(Cidr::new([10, 0, 0, 1].into(), 8), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cidr(Inet);

/// The address families of the binary form: PostgreSQL's own numbers, the same on every platform.
const IPV4: u8 = 2;
const IPV6: u8 = 3;

impl Inet {
    /// Creates an `inet`; `None` if the netmask has more bits than the address.
    pub const fn new(address: IpAddr, netmask: u8) -> Option<Self> {
        if netmask <= width(address) { Some(Self { address, netmask }) } else { None }
    }

    /// Returns the address.
    pub const fn address(self) -> IpAddr {
        self.address
    }

    /// Returns the number of bits of the netmask.
    pub const fn netmask(self) -> u8 {
        self.netmask
    }

    fn read_text(text: &[u8]) -> Result<Self, ValueError> {
        let text = utf8(text)?;
        let (address, netmask) = match text.split_once('/') {
            Some((address, netmask)) => (address, Some(netmask)),
            None => (text, None),
        };
        let malformed = ValueError::malformed("an IPv4 or IPv6 address", 0);
        let parsed: IpAddr = address.parse().map_err(|_| malformed)?;
        let bits = match netmask {
            None => width(parsed),
            Some(netmask) => {
                let mut input = Input::new(netmask.as_bytes());
                let bits = input.number(1, 3).and_then(|bits| input.end("a digit").map(|()| bits));
                let bits = bits.map_err(|error| error.rebased(address.len() + 1))?;
                // A number that does not fit into a byte is too great for a netmask as well.
                u8::try_from(bits).unwrap_or(u8::MAX)
            }
        };
        let too_many = ValueError::malformed("a netmask no longer than the address", address.len());
        Self::new(parsed, bits).ok_or(too_many)
    }

    fn read_binary(bytes: &[u8], is_cidr: bool) -> Result<Self, ValueError> {
        let mut input = Input::new(bytes);
        let [family, netmask, cidr_flag, len] = input.array()?;
        let address = match (family, len) {
            (IPV4, 4) => exactly::<4>(input.rest()).map(IpAddr::from),
            (IPV6, 16) => exactly::<16>(input.rest()).map(IpAddr::from),
            (IPV4 | IPV6, _) => return Err(ValueError::malformed("4 or 16 bytes of address", 3)),
            _ => return Err(ValueError::malformed("address family 2 or 3", 0)),
        }
        .map_err(|error| error.rebased(4))?;
        if cidr_flag != u8::from(is_cidr) {
            return Err(ValueError::malformed("1 for a cidr, 0 for an inet", 2));
        }
        let too_many = ValueError::malformed("a netmask no longer than the address", 1);
        Self::new(address, netmask).ok_or(too_many)
    }

    fn has_host_bits(self) -> bool {
        let (bits, width) = match self.address {
            IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
            IpAddr::V6(address) => (address.to_bits(), 128),
        };
        let host = width - u32::from(self.netmask);
        // Shifting by the whole width is not defined: every bit belongs to the host then.
        bits & !u128::MAX.checked_shl(host).unwrap_or(0) != 0
    }
}

const fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

impl Cidr {
    /// Creates a network; `None` if the netmask has more bits than the address, or the address has
    /// bits set after the netmask.
    pub fn new(address: IpAddr, netmask: u8) -> Option<Self> {
        Inet::new(address, netmask).filter(|inet| !inet.has_host_bits()).map(Self)
    }

    /// Returns the address of the network.
    pub const fn address(self) -> IpAddr {
        self.0.address
    }

    /// Returns the number of bits of the netmask.
    pub const fn netmask(self) -> u8 {
        self.0.netmask
    }

    fn checked(inet: Inet) -> Result<Self, ValueError> {
        let expected = "no bits set after the netmask";
        Self::new(inet.address, inet.netmask).ok_or(ValueError::malformed(expected, 0))
    }
}

impl<'a> FromField<'a> for Inet {
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.oid() == type_oid::INET
    }

    #[inline]
    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        from_formats(field)
    }
}

impl<'a> FromFormats<'a> for Inet {
    fn from_text(_: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
        Self::read_text(text)
    }

    fn from_binary(_: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        Self::read_binary(bytes, false)
    }
}

impl<'a> FromField<'a> for Cidr {
    fn accepts(ty: FieldType<'_>) -> bool {
        ty.oid() == type_oid::CIDR
    }

    #[inline]
    fn from_field(field: &Field<'a>) -> Result<Self, ValueError> {
        from_formats(field)
    }
}

impl<'a> FromFormats<'a> for Cidr {
    fn from_text(_: FieldType<'a>, text: &'a [u8]) -> Result<Self, ValueError> {
        Self::checked(Inet::read_text(text)?)
    }

    fn from_binary(_: FieldType<'a>, bytes: &'a [u8]) -> Result<Self, ValueError> {
        Self::checked(Inet::read_binary(bytes, true)?)
    }
}

impl fmt::Display for Inet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_address(f, self.address)?;
        if self.netmask == width(self.address) { Ok(()) } else { write!(f, "/{}", self.netmask) }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_address(f, self.0.address)?;
        write!(f, "/{}", self.0.netmask)
    }
}

fn write_address(f: &mut fmt::Formatter<'_>, address: IpAddr) -> fmt::Result {
    match address {
        IpAddr::V4(address) => write!(f, "{address}"),
        IpAddr::V6(address) => write_ipv6(f, address),
    }
}

/// Writes an IPv6 address in PostgreSQL's form, which differs from Rust's. The first longest run of
/// two or more zero words becomes `::`, and the last two words are written like IPv4 after six zero
/// words, or after five and `ffff`.
fn write_ipv6(f: &mut fmt::Formatter<'_>, address: Ipv6Addr) -> fmt::Result {
    let words = address.segments();
    let (mut start, mut len, mut run) = (0, 0, 0);
    for (at, word) in words.iter().enumerate() {
        run = if *word == 0 { run + 1 } else { 0 };
        if run > len && run > 1 {
            (start, len) = (at + 1 - run, run);
        }
    }
    let [.., before, high, low] = words;
    let like_ipv4 = start == 0 && (len == 6 || len == 5 && before == 0xFFFF);
    for (at, word) in words.iter().enumerate() {
        if len > 0 && at == start {
            f.write_str("::")?;
        } else if at > start && at < start + len {
        } else if like_ipv4 && at == 6 {
            let colon = if len == 6 { "" } else { ":" };
            let tail = Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
            return write!(f, "{colon}{tail}");
        } else {
            let colon = if at == 0 || len > 0 && at == start + len { "" } else { ":" };
            write!(f, "{colon}{word:x}")?;
        }
    }
    Ok(())
}

impl WriteJson for Inet {}
impl WriteJson for Cidr {}
