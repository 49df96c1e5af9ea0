//! How the values of a row are stored.
//!
//! ```text
//! row        version u8 (1), values in the order of the table's columns; those at the end that are their columns' fills left out
//! NULL, false, true         00, 01, 02
//! INT8 … INT128             03 … 07, zigzag varint
//! UINT8 … UINT128           08 … 0C, varint
//! FLOAT32, FLOAT            0D, 4 bytes; 0E, 8 bytes, little-endian; one NaN
//! DECIMAL                   0F, scale u8 with 80 added when negative, mantissa varint
//! TEXT, BYTEA               10, 11: length varint, bytes
//! INET                      12, 4 bytes; 13, 16 bytes
//! DATE                      14, days since 1970-01-01 zigzag varint
//! TIMESTAMP                 15, days, ticks
//! TIME                      16, ticks varint: second of the day × 2 × 10^9 + nanoseconds
//! INTERVAL                  17, months zigzag varint; 18, microseconds zigzag varint
//! UUID                      19, 16 bytes, big-endian
//! MAP                       1A, count varint, for each ascending key: length varint, bytes, value
//! LIST                      1B, count varint, values
//! POINT                     1C, x and y as FLOAT
//! INT                       40 … 7F: the zigzag number itself when below 64
//! TEXT                      80 … FF: the length itself when below 128, bytes
//! ```
//!
//! A row of a table without columns is one value, a map.
//!
//! **Invariant:** a value comes back with its type, its scale and its bits (but for NaN), and what is stored is the only way to
//! store it, so equal rows have equal bytes.

mod decode;
mod encode;

#[cfg(test)]
mod tests;

pub(crate) use decode::{decode_row, decode_value};
pub(crate) use encode::{encode_row, encode_value, identical};

/// What rows begin with.
const VERSION: u8 = 1;

/// How deep lists and maps may nest: what a JSON text may, from which they come.
const MAX_DEPTH: usize = 128;

/// What a value begins with.
mod tag {
    pub(super) const NULL: u8 = 0x00;
    pub(super) const FALSE: u8 = 0x01;
    pub(super) const TRUE: u8 = 0x02;
    pub(super) const I8: u8 = 0x03;
    pub(super) const I16: u8 = 0x04;
    pub(super) const I32: u8 = 0x05;
    pub(super) const I64: u8 = 0x06;
    pub(super) const I128: u8 = 0x07;
    pub(super) const U8: u8 = 0x08;
    pub(super) const U16: u8 = 0x09;
    pub(super) const U32: u8 = 0x0A;
    pub(super) const U64: u8 = 0x0B;
    pub(super) const U128: u8 = 0x0C;
    pub(super) const F32: u8 = 0x0D;
    pub(super) const F64: u8 = 0x0E;
    pub(super) const DECIMAL: u8 = 0x0F;
    pub(super) const TEXT: u8 = 0x10;
    pub(super) const BYTES: u8 = 0x11;
    pub(super) const INET4: u8 = 0x12;
    pub(super) const INET6: u8 = 0x13;
    pub(super) const DATE: u8 = 0x14;
    pub(super) const TIMESTAMP: u8 = 0x15;
    pub(super) const TIME: u8 = 0x16;
    pub(super) const MONTHS: u8 = 0x17;
    pub(super) const MICROSECONDS: u8 = 0x18;
    pub(super) const UUID: u8 = 0x19;
    pub(super) const MAP: u8 = 0x1A;
    pub(super) const LIST: u8 = 0x1B;
    pub(super) const POINT: u8 = 0x1C;
    /// An INT whose zigzag form is the rest of the byte.
    pub(super) const SMALL_INT: u8 = 0x40;
    /// A TEXT whose length is the rest of the byte.
    pub(super) const SHORT_TEXT: u8 = 0x80;
}
