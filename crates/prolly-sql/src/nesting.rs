//! How deep a text can nest, and stack enough to work on it.
//!
//! The parser, the planners and the executor recurse into expressions, and in `1 + 1 + 1` the first sum is inside of the second.
//! How deep that goes is bounded by how many words and signs there are which no comma separates; so is the length of what
//! is accepted, and so the stack that it needs.

use gluesql_core::sqlparser::tokenizer::{Token, TokenWithLocation};

use crate::{Error, Result};

/// How many words and signs a part of a statement may have: what lies between commas, with the longest of what is in each pair of
/// parentheses. Literals and parameters are not counted.
pub(crate) const PART_MAX: usize = 4000;

/// The same for an expression that is stored with a table. It is read and evaluated wherever the table is.
pub(crate) const STORED_MAX: usize = 32;

/// The same for a function.
pub(crate) const FUNCTION_MAX: usize = 128;

/// The stack that is needed for a statement which nests nothing.
const BASE_BYTES: usize = 1 << 20;

/// The stack that each level needs, with room to spare. Without optimization, frames are larger.
const LEVEL_BYTES: usize = if cfg!(debug_assertions) { 96 << 10 } else { 48 << 10 };

/// The number of words and signs in the longest part of a text.
pub(crate) fn longest_part(tokens: &[TokenWithLocation]) -> usize {
    let mut levels = vec![Level::default()];
    for TokenWithLocation { token, .. } in tokens {
        match token {
            Token::Comma | Token::SemiColon => levels.last_mut().into_iter().for_each(Level::end),
            Token::LParen | Token::LBracket | Token::LBrace => {
                levels.push(Level { own: 1, ..Level::default() })
            }
            Token::RParen | Token::RBracket | Token::RBrace if levels.len() > 1 => close(&mut levels),
            token if is_counted(token) => levels.last_mut().into_iter().for_each(|level| level.own += 1),
            _ => {}
        }
    }
    while levels.len() > 1 {
        close(&mut levels);
    }
    levels.iter().map(Level::longest).max().unwrap_or(0)
}

/// Refuses a text that nests too deep to be worked on.
///
/// # Errors
/// [`Error::Syntax`].
pub(crate) fn check(tokens: &[TokenWithLocation]) -> Result<usize> {
    let part = longest_part(tokens);
    if part <= PART_MAX {
        return Ok(part);
    }
    let message = format!(
        "an expression is too long: it has {part} words and signs without a comma in between, and may have {PART_MAX}"
    );
    Err(Error::Syntax { message })
}

/// Does some work on a stack that is enough for so many levels.
pub(crate) fn with_stack<T>(levels: usize, work: impl FnOnce() -> T) -> T {
    let bytes = bytes(levels);
    stacker::maybe_grow(bytes, bytes, work)
}

/// Whether the stack is enough for so many levels more.
pub(crate) fn has_stack(levels: usize) -> bool {
    stacker::remaining_stack().is_some_and(|left| left >= levels * LEVEL_BYTES)
}

fn bytes(levels: usize) -> usize {
    BASE_BYTES + levels * LEVEL_BYTES
}

/// What is between two parentheses, as far as it was read.
#[derive(Default)]
struct Level {
    /// What there is in the part at hand, but for other parentheses.
    own: usize,
    /// The longest of these.
    inner: usize,
    /// The longest part before.
    before: usize,
}

impl Level {
    fn longest(&self) -> usize {
        self.before.max(self.own + self.inner)
    }

    fn end(&mut self) {
        *self = Self { before: self.longest(), ..Self::default() };
    }
}

fn close(levels: &mut Vec<Level>) {
    let Some(closed) = levels.pop() else { return };
    if let Some(level) = levels.last_mut() {
        level.inner = level.inner.max(closed.longest());
    }
}

fn is_counted(token: &Token) -> bool {
    !matches!(
        token,
        Token::EOF
            | Token::Whitespace(_)
            | Token::Period
            | Token::Placeholder(_)
            | Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::EscapedStringLiteral(_)
            | Token::NationalStringLiteral(_)
            | Token::HexStringLiteral(_)
            | Token::UnicodeStringLiteral(_)
            | Token::DollarQuotedString(_)
    )
}
