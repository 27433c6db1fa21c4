//! Writes `inet`, `cidr`, `macaddr` and `macaddr8`.

use core::net::IpAddr;

use super::{EncodeError, Write, Writer};
use crate::value::{Cidr, Inet, MacAddr, MacAddr8};

fn write_address(writer: &mut Writer<'_>, address: IpAddr, netmask: u8, is_cidr: bool) {
    // PostgreSQL's own numbers of the address families, and the length of the address.
    let (family, length) = match address {
        IpAddr::V4(_) => (2, 4),
        IpAddr::V6(_) => (3, 16),
    };
    writer.bytes(&[family, netmask, is_cidr.into(), length]);
    match address {
        IpAddr::V4(address) => writer.bytes(&address.octets()),
        IpAddr::V6(address) => writer.bytes(&address.octets()),
    }
}

impl Write for Inet {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        write_address(writer, self.address(), self.netmask(), false);
        Ok(())
    }
}

impl Write for Cidr {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        write_address(writer, self.address(), self.netmask(), true);
        Ok(())
    }
}

impl Write for MacAddr {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.bytes(&self.0);
        Ok(())
    }
}

impl Write for MacAddr8 {
    fn write(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.bytes(&self.0);
        Ok(())
    }
}
