//! Byte strings as postcard writes them in one piece: a length, and the bytes.
//!
//! Serde takes a vector of bytes for a sequence of numbers otherwise, which costs twenty times as much.

use std::{fmt, marker::PhantomData, ops::Deref};

use blake3::hazmat::ChainingValue;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A byte string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bytes(pub(super) Vec<u8>);

/// Chaining values, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ChainingValues(pub(super) Vec<ChainingValue>);

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl Serialize for ChainingValues {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0.as_flattened())
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(FromBytes(PhantomData))
    }
}

impl<'de> Deserialize<'de> for ChainingValues {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(FromBytes(PhantomData))
    }
}

impl TryFrom<&[u8]> for Bytes {
    type Error = &'static str;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        Ok(Self(bytes.to_vec()))
    }
}

impl TryFrom<&[u8]> for ChainingValues {
    type Error = &'static str;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        match bytes.as_chunks() {
            (values, []) => Ok(Self(values.to_vec())),
            _ => Err("chaining values of 32 bytes each"),
        }
    }
}

/// Makes a `T` from a byte string, which is all in memory already.
struct FromBytes<T>(PhantomData<T>);

impl<'de, T: for<'a> TryFrom<&'a [u8], Error = &'static str>> de::Visitor<'de> for FromBytes<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a byte string")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<T, E> {
        T::try_from(bytes).map_err(|expected| E::invalid_length(bytes.len(), &expected))
    }
}
