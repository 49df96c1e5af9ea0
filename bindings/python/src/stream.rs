//! Values as binary files: read from Python's file objects, and shown to Python as one.
//!
//! **Invariant:** a stream is never held whole; the interpreter lock is held only while a file object of Python's runs.

use std::{
    io::{self, Read, Seek, SeekFrom},
    sync::{Mutex, PoisonError},
};

use prolly_version::{Error, ValueReader};
use pyo3::{
    exceptions::{PyBlockingIOError, PyTypeError, PyValueError},
    intern,
    prelude::*,
    sync::{MutexExt, PyOnceLock},
    types::{PyBytes, PyType},
};

use crate::{
    args::Bytes,
    errors::{self, ProllyTreeError},
};

/// A binary file object of Python's, to read from. Copies of what it raises come out of [`of_source`] again.
pub(crate) struct Source(Py<PyAny>);

impl Source {
    /// # Errors
    /// `TypeError` for what has no `read`.
    pub(crate) fn new(file: &Bound<'_, PyAny>) -> PyResult<Self> {
        if !file.hasattr(intern!(file.py(), "read"))? {
            let kind = file.get_type().name()?;
            return Err(PyTypeError::new_err(format!("a binary file is required, and '{kind}' has no read")));
        }
        Ok(Self(file.clone().unbind()))
    }

    fn fill(&self, py: Python<'_>, buffer: &mut [u8]) -> PyResult<usize> {
        let asked = buffer.len();
        let read = self.0.bind(py).call_method1(intern!(py, "read"), (asked,))?;
        if read.is_none() {
            return Err(PyBlockingIOError::new_err("the stream has nothing to give yet, and does not wait"));
        }
        let bytes: Bytes<'_> = read.extract()?;
        let room = buffer.get_mut(..bytes.len()).ok_or_else(|| {
            PyValueError::new_err(format!("the stream gave {} bytes when asked for {asked}", bytes.len()))
        })?;
        room.copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

impl Read for &Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Python::attach(|py| self.fill(py, buffer)).map_err(io::Error::other)
    }
}

/// The exception for a failure of a stream: what its file object raised.
pub(crate) fn of_source(key: Vec<u8>, source: io::Error) -> PyErr {
    match source.downcast::<PyErr>() {
        Ok(raised) => raised,
        Err(source) => ProllyTreeError::new_err(Error::ValueSource { key, source }.to_string()),
    }
}

/// What a `ValueStream` of Python's reads from.
#[pyclass(module = "prollytree", name = "_ValueReader", frozen)]
pub(crate) struct PyValueReader {
    reader: Mutex<ValueReader>,
    len: u64,
}

/// A `ValueStream` of this value.
pub(crate) fn value_stream(py: Python<'_>, reader: ValueReader) -> PyResult<Bound<'_, PyAny>> {
    static TYPE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let reader = PyValueReader { len: reader.len(), reader: Mutex::new(reader) };
    TYPE.import(py, "prollytree._stream", "ValueStream")?.call1((reader,))
}

impl PyValueReader {
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        work: impl Send + FnOnce(&mut ValueReader) -> io::Result<T>,
    ) -> PyResult<T> {
        let mut reader = self.reader.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner);
        let reader = &mut *reader;
        py.detach(|| work(reader)).map_err(of_reading)
    }
}

/// The exception for what reading a value reports: the store's own error is inside.
fn of_reading(error: io::Error) -> PyErr {
    if error.kind() == io::ErrorKind::InvalidInput {
        return PyValueError::new_err(error.to_string());
    }
    match error.downcast::<prolly_core::Error>() {
        Ok(error) => errors::of_tree(error),
        Err(error) => error.into(),
    }
}

#[pymethods]
impl PyValueReader {
    fn __len__(&self) -> usize {
        self.len as usize
    }

    /// At most `size` bytes from the position on; fewer only at the end.
    fn read<'py>(&self, py: Python<'py>, size: u64) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = self.with(py, |reader| {
            let left = self.len.saturating_sub(reader.stream_position()?);
            let size = size.min(left);
            let mut bytes = Vec::with_capacity(size as usize);
            reader.take(size).read_to_end(&mut bytes)?;
            Ok(bytes)
        })?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// Moves the position to `offset` bytes from the start (0), from where it is (1) or from the end (2); its new value.
    fn seek(&self, py: Python<'_>, offset: i64, whence: i32) -> PyResult<u64> {
        let to = match whence {
            0 => match u64::try_from(offset) {
                Ok(offset) => SeekFrom::Start(offset),
                Err(_) => return Err(PyValueError::new_err(format!("negative seek position {offset}"))),
            },
            1 => SeekFrom::Current(offset),
            2 => SeekFrom::End(offset),
            _ => return Err(PyValueError::new_err(format!("whence must be 0, 1 or 2, not {whence}"))),
        };
        self.with(py, |reader| reader.seek(to))
    }
}
