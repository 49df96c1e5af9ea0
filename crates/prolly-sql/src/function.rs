//! Functions that users made, as they are stored: the statement that makes them.
//!
//! ```text
//! key   = name in capitals
//! value = version u8 (1) | CREATE FUNCTION "name"("argument" TYPE [DEFAULT expression], …) RETURN expression
//! ```

use std::{collections::BTreeMap, fmt::Write};

use gluesql_core::{
    ast::{Statement, ToSql},
    data::CustomFunction,
    parse_sql::parse,
    translate::translate,
};

use crate::{Error, Result, bind::calls, nesting::FUNCTION_MAX, schema::checked_sql, statement::levels};

const VERSION: u8 = 1;

/// How deep functions may call each other: each call takes from the stack what an expression does.
pub(crate) const DEPTH_MAX: usize = 16;

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

/// Checks that the expressions of a function are short, so that the stack is known which a call of it takes.
///
/// # Errors
/// [`Error::Refused`] that names the function.
pub(crate) fn check_length(function: &CustomFunction) -> Result<()> {
    let name = &function.func_name;
    let defaults = function.args.iter().filter_map(|argument| argument.default.as_ref());
    for expr in defaults.chain([&function.body]) {
        let levels = levels(&expr.to_sql())?;
        if levels > FUNCTION_MAX {
            return Err(Error::Refused(format!(
                "function {name:?} is too long: it has {levels} words and signs without a comma in between, and may have {FUNCTION_MAX}"
            )));
        }
    }
    Ok(())
}

/// Checks that a function comes to an end, as one of these, each by its name in capitals: GlueSQL evaluates calls on the stack. A
/// merge can bring functions together that call each other, so this is asked where one is called, too.
///
/// # Errors
/// [`Error::Refused`] when the function calls itself, directly or through others, or calls others too deeply.
pub(crate) fn check_calls(functions: &BTreeMap<String, CustomFunction>, name: &str) -> Result<()> {
    depth(functions, name, &mut Vec::new(), &mut BTreeMap::new()).map(drop)
}

/// How deep a function calls others, in which the calls of `path` have led to it.
fn depth<'a>(
    functions: &'a BTreeMap<String, CustomFunction>,
    name: &str,
    path: &mut Vec<&'a str>,
    known: &mut BTreeMap<&'a str, usize>,
) -> Result<usize> {
    // GlueSQL complains of a function that is not there.
    let Some((name, function)) = functions.get_key_value(name) else { return Ok(0) };
    if let Some(depth) = known.get(name.as_str()) {
        return Ok(*depth);
    }
    if let Some(start) = path.iter().position(|called| called == name) {
        let through: Vec<_> = path[start + 1..].iter().map(|name| format!("{name:?}")).collect();
        let through =
            if through.is_empty() { String::new() } else { format!(" through {}", through.join(", ")) };
        return Err(Error::Refused(format!("the function {name:?} calls itself{through}")));
    }
    path.push(name);
    let mut deepest = 0;
    let defaults = function.args.iter().filter_map(|argument| argument.default.as_ref());
    for expr in defaults.chain([&function.body]) {
        for called in calls(expr) {
            deepest = deepest.max(depth(functions, &called, path, known)?);
        }
    }
    path.pop();
    if deepest == DEPTH_MAX {
        let text = format!("the function {name:?} calls others more than {DEPTH_MAX} deep");
        return Err(Error::Refused(text));
    }
    known.insert(name, deepest + 1);
    Ok(deepest + 1)
}
