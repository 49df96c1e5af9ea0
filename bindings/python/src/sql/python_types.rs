//! The classes of Python's that values of SQL become, found once.

use pyo3::{prelude::*, sync::PyOnceLock};

pub(super) struct PythonTypes {
    pub(super) date: Py<PyAny>,
    pub(super) datetime: Py<PyAny>,
    pub(super) time: Py<PyAny>,
    pub(super) timedelta: Py<PyAny>,
    pub(super) utc: Py<PyAny>,
    pub(super) decimal: Py<PyAny>,
    pub(super) uuid: Py<PyAny>,
    pub(super) ipv4: Py<PyAny>,
    pub(super) ipv6: Py<PyAny>,
    pub(super) point: Py<PyAny>,
    pub(super) months: Py<PyAny>,
    pub(super) affected: Py<PyAny>,
}

impl PythonTypes {
    pub(super) fn get(py: Python<'_>) -> PyResult<&Self> {
        static TYPES: PyOnceLock<PythonTypes> = PyOnceLock::new();
        TYPES.get_or_try_init(py, || {
            let find = |module: &str, name: &str| Ok::<_, PyErr>(py.import(module)?.getattr(name)?.unbind());
            Ok(Self {
                date: find("datetime", "date")?,
                datetime: find("datetime", "datetime")?,
                time: find("datetime", "time")?,
                timedelta: find("datetime", "timedelta")?,
                utc: py.import("datetime")?.getattr("timezone")?.getattr("utc")?.unbind(),
                decimal: find("decimal", "Decimal")?,
                uuid: find("uuid", "UUID")?,
                ipv4: find("ipaddress", "IPv4Address")?,
                ipv6: find("ipaddress", "IPv6Address")?,
                point: find("prollytree._sql", "Point")?,
                months: find("prollytree._sql", "Months")?,
                affected: find("prollytree._sql", "Affected")?,
            })
        })
    }
}
