//! Functions that users made, as they are stored: the statement that makes them.
//!
//! ```text
//! key   = name in capitals
//! value = version u8 (1) | CREATE FUNCTION "name"("argument" TYPE [DEFAULT expression], …) RETURN expression
//! ```

use std::fmt::Write;

use gluesql_core::{ast::Statement, data::CustomFunction, parse_sql::parse, translate::translate};

use crate::{Error, Result, schema::checked_sql};

const VERSION: u8 = 1;

/// Encodes a function.
///
/// # Errors
/// [`Error::Refused`] when its text would not read back as what it is.
pub(crate) fn encode(function: &CustomFunction) -> Result<Vec<u8>> {
    let name = &function.func_name;
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let mut arguments = Vec::with_capacity(function.args.len());
    for argument in &function.args {
        let mut text = format!("{} {}", quoted(&argument.name), argument.data_type);
        if let Some(default) = &argument.default {
            let default = checked_sql(default, || format!("the default of argument {:?}", argument.name))?;
            write!(text, " DEFAULT {default}").expect("a string takes whatever is written");
        }
        arguments.push(text);
    }
    let body = checked_sql(&function.body, || format!("the body of function {name:?}"))?;
    let text = format!("CREATE FUNCTION {}({}) RETURN {body}", quoted(name), arguments.join(", "));
    let encoded = [&[VERSION], text.as_bytes()].concat();
    match decode(name, &encoded) {
        Ok(read) if read == *function => Ok(encoded),
        _ => Err(Error::Refused(format!("function {name:?} cannot be stored: {text}"))),
    }
}

/// Decodes a function.
///
/// # Errors
/// [`Error::Damaged`] that names it.
pub(crate) fn decode(name: &str, encoded: &[u8]) -> Result<CustomFunction> {
    let damaged =
        |reason: &str| Error::Damaged { what: format!("function {name:?}"), reason: reason.to_owned() };
    let Some((&VERSION, text)) = encoded.split_first() else {
        return Err(damaged("its version is not known"));
    };
    let text = std::str::from_utf8(text).map_err(|_| damaged("it is no text"))?;
    let parsed = parse(text).map_err(|error| damaged(&error.to_string()))?;
    let [statement] = &parsed[..] else { return Err(damaged("it is not one statement")) };
    match translate(statement).map_err(|error| damaged(&error.to_string()))? {
        Statement::CreateFunction { name, args, return_, .. } => {
            Ok(CustomFunction { func_name: name, args, body: return_ })
        }
        _ => Err(damaged("it makes no function")),
    }
}
