//! `TreeConfig`.

use std::hash::{Hash, Hasher};

use prolly_core::TreeConfig as Config;
use pyo3::{prelude::*, types::PyType};

use crate::errors::{self, ProllyTreeError};

/// The parameters that decide where a tree is cut into nodes. Immutable, hashable, comparable.
#[pyclass(module = "prollytree", frozen, eq, hash, from_py_object)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TreeConfig(pub(crate) Config);

impl Hash for TreeConfig {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.fields().hash(state);
    }
}

type Fields = (u32, u32, u32, u32, u64, Option<u32>);

impl TreeConfig {
    fn fields(&self) -> Fields {
        let Config { base, modulus, min_chunk_size, max_chunk_size, pattern, externalize_threshold } = self.0;
        (base, modulus, min_chunk_size, max_chunk_size, pattern, externalize_threshold)
    }
}

/// Brings a number into the width that the tree layer has for it.
fn number<T: TryFrom<i128>>(name: &str, value: i128) -> PyResult<T> {
    T::try_from(value)
        .map_err(|_| ProllyTreeError::new_err(format!("{name} is {value}, which is out of range")))
}

#[pymethods]
impl TreeConfig {
    #[new]
    #[pyo3(signature = (base=None, modulus=None, min_chunk_size=None, max_chunk_size=None, pattern=0, externalize_threshold=4096))]
    fn new(
        base: Option<i128>,
        modulus: Option<i128>,
        min_chunk_size: Option<i128>,
        max_chunk_size: Option<i128>,
        pattern: i128,
        externalize_threshold: Option<i128>,
    ) -> PyResult<Self> {
        let default = Config::default();
        let base = base.map_or(Ok(default.base), |value| number("base", value))?;
        let modulus = modulus.map_or(Ok(default.modulus), |value| number("modulus", value))?;
        let min = min_chunk_size.map(|value| number("min_chunk_size", value)).transpose()?;
        let max = max_chunk_size.map(|value| number("max_chunk_size", value)).transpose()?;
        let suited = Config::with_targets(base, modulus);
        let max_chunk_size = max.unwrap_or(suited.max_chunk_size.max(min.unwrap_or(0)));
        let config = Config {
            min_chunk_size: min.unwrap_or(suited.min_chunk_size.min(max_chunk_size)),
            max_chunk_size,
            pattern: number("pattern", pattern)?,
            externalize_threshold: externalize_threshold
                .map(|value| number("externalize_threshold", value))
                .transpose()?,
            ..suited
        };
        config.validate().map_err(errors::of_tree)?;
        Ok(Self(config))
    }

    /// Target number of children of an internal node.
    #[getter]
    fn base(&self) -> u32 {
        self.0.base
    }

    /// Target number of entries of a leaf.
    #[getter]
    fn modulus(&self) -> u32 {
        self.0.modulus
    }

    /// The fewest entries of a leaf.
    #[getter]
    fn min_chunk_size(&self) -> u32 {
        self.0.min_chunk_size
    }

    /// The most entries of a leaf.
    #[getter]
    fn max_chunk_size(&self) -> u32 {
        self.0.max_chunk_size
    }

    /// Seed of the boundaries.
    #[getter]
    fn pattern(&self) -> u64 {
        self.0.pattern
    }

    /// Values of more bytes than this are stored beside the tree.
    #[getter]
    fn externalize_threshold(&self) -> Option<u32> {
        self.0.externalize_threshold
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> (Bound<'py, PyType>, Fields) {
        (py.get_type::<Self>(), self.fields())
    }

    fn __repr__(&self) -> String {
        let (base, modulus, min, max, pattern, threshold) = self.fields();
        let threshold = threshold.map_or_else(|| "None".to_owned(), |bytes| bytes.to_string());
        format!(
            "TreeConfig(base={base}, modulus={modulus}, min_chunk_size={min}, max_chunk_size={max}, \
             pattern={pattern}, externalize_threshold={threshold})"
        )
    }
}
