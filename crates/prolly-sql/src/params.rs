//! Parameters of statements.

use gluesql_core::{
    data::Value,
    translate::{IntoParamLiteral, ParamLiteral},
};

use crate::{Error, Result};

/// The literal for a value.
///
/// # Errors
/// For lists and maps, which GlueSQL has no literals for.
pub(crate) fn literal(value: &Value) -> Result<ParamLiteral> {
    Ok(match value.clone() {
        Value::Bool(value) => value.into_param_literal(),
        Value::I8(value) => value.into_param_literal(),
        Value::I16(value) => value.into_param_literal(),
        Value::I32(value) => value.into_param_literal(),
        Value::I64(value) => value.into_param_literal(),
        Value::I128(value) => value.into_param_literal(),
        Value::U8(value) => value.into_param_literal(),
        Value::U16(value) => value.into_param_literal(),
        Value::U32(value) => value.into_param_literal(),
        Value::U64(value) => value.into_param_literal(),
        Value::U128(value) => value.into_param_literal(),
        Value::F32(value) => value.into_param_literal(),
        Value::F64(value) => value.into_param_literal(),
        Value::Decimal(value) => value.into_param_literal(),
        Value::Str(value) => value.into_param_literal(),
        Value::Bytea(value) => value.into_param_literal(),
        Value::Inet(value) => value.into_param_literal(),
        Value::Date(value) => value.into_param_literal(),
        Value::Timestamp(value) => value.into_param_literal(),
        Value::Time(value) => value.into_param_literal(),
        Value::Interval(value) => value.into_param_literal(),
        Value::Uuid(value) => uuid::Uuid::from_u128(value).into_param_literal(),
        Value::Point(value) => value.into_param_literal(),
        Value::Null => ParamLiteral::null(),
        value @ (Value::Map(_) | Value::List(_)) => {
            let text = format!("a list or a map cannot be a parameter: {}", String::from(value));
            return Err(Error::Refused(text));
        }
    })
}
