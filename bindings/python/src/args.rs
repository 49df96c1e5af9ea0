//! Arguments in the forms that Python gives them.

use std::{
    ops::{Bound as Limit, Deref},
    path::PathBuf,
};

use pyo3::{
    exceptions::PyTypeError,
    intern,
    prelude::*,
    types::{PyByteArray, PyBytes, PyEllipsis, PyMemoryView, PyString},
};

/// A bytes-like argument: borrowed where Python's object cannot change, copied where it can.
pub(crate) enum Bytes<'a> {
    Borrowed(&'a [u8]),
    Copied(Vec<u8>),
}

impl Deref for Bytes<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Copied(bytes) => bytes,
        }
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for Bytes<'a> {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        match object.extract::<&'a [u8]>() {
            Ok(bytes) => Ok(Self::Borrowed(bytes)),
            Err(_) => copy_buffer(object).map(Self::Copied),
        }
    }
}

/// Copies the contents of a `bytearray`, a `memoryview` or anything else with the buffer protocol.
fn copy_buffer(object: Borrowed<'_, '_, PyAny>) -> PyResult<Vec<u8>> {
    let py = object.py();
    if let Ok(array) = object.cast::<PyByteArray>() {
        return Ok(array.to_vec());
    }
    if object.is_instance_of::<PyString>() {
        return Err(PyTypeError::new_err(
            "a bytes-like object is required, not 'str': encode the text first, as in text.encode()",
        ));
    }
    let view = match object.cast::<PyMemoryView>() {
        Ok(view) => view.to_owned(),
        Err(_) => PyMemoryView::from(&object).map_err(|_| not_bytes(&object))?,
    };
    let copy = view.call_method0(intern!(py, "tobytes"))?;
    Ok(copy.cast::<PyBytes>()?.as_bytes().to_vec())
}

fn not_bytes(object: &Bound<'_, PyAny>) -> PyErr {
    match object.get_type().name() {
        Ok(name) => PyTypeError::new_err(format!("a bytes-like object is required, not '{name}'")),
        Err(error) => error,
    }
}

/// An expected value that may be left out, which is not the same as `None`.
pub(crate) enum Claim<'a> {
    /// Left out: the key is present, whatever its value.
    Present,
    /// `None`: the key is absent.
    Absent,
    /// The key has this value.
    Value(Bytes<'a>),
}

impl<'a, 'py> FromPyObject<'a, 'py> for Claim<'a> {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if object.is_none() {
            return Ok(Self::Absent);
        }
        if object.is_instance_of::<PyEllipsis>() {
            return Ok(Self::Present);
        }
        object.extract().map(Self::Value)
    }
}

/// A path as `str` or `os.PathLike`.
pub(crate) struct Path(pub(crate) PathBuf);

impl<'a, 'py> FromPyObject<'a, 'py> for Path {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        object.extract().map(Self).map_err(|_: PyErr| {
            let name = object.get_type().name().map_or_else(|_| "?".to_owned(), |name| name.to_string());
            PyTypeError::new_err(format!("a path is required (str or os.PathLike), not '{name}'"))
        })
    }
}

/// The bounds of `[start, end)` with `None` open.
pub(crate) fn limits<'a>(
    start: Option<&'a [u8]>,
    end: Option<&'a [u8]>,
) -> (Limit<&'a [u8]>, Limit<&'a [u8]>) {
    (start.map_or(Limit::Unbounded, Limit::Included), end.map_or(Limit::Unbounded, Limit::Excluded))
}

/// An argument that has two names, so that either may be left out: not the same as None.
pub(crate) enum Given<T> {
    LeftOut,
    Is(T),
}

impl<T> Given<T> {
    /// The argument by whichever of its names it was given; `None` when it was not.
    pub(crate) fn either(self, name: &str, other: Self, other_name: &str) -> PyResult<Option<T>> {
        match (self, other) {
            (Self::LeftOut, Self::LeftOut) => Ok(None),
            (Self::Is(value), Self::LeftOut) | (Self::LeftOut, Self::Is(value)) => Ok(Some(value)),
            (Self::Is(_), Self::Is(_)) => Err(PyTypeError::new_err(format!(
                "{name} and {other_name} are the same argument, and both were given"
            ))),
        }
    }

    /// As [`Given::either`], of an argument that is required.
    pub(crate) fn required(self, name: &str, other: Self, other_name: &str) -> PyResult<T> {
        self.either(name, other, other_name)?
            .ok_or_else(|| PyTypeError::new_err(format!("the argument {name} is missing")))
    }

    /// An argument that is required, behind one that may have been given by its other name.
    #[cfg(feature = "namespaced")]
    pub(crate) fn needed(self, name: &str) -> PyResult<T> {
        self.required(name, Self::LeftOut, name)
    }
}

impl<'a, 'py, T: FromPyObject<'a, 'py>> FromPyObject<'a, 'py> for Given<T> {
    type Error = T::Error;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> Result<Self, T::Error> {
        if object.is_instance_of::<PyEllipsis>() {
            Ok(Self::LeftOut)
        } else {
            T::extract(object).map(Self::Is)
        }
    }
}
