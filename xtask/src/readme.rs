//! The Python blocks of the READMEs, each document run as the one program that it tells.
//!
//! Invariant: every block fenced as `python` is executed, in order, in one namespace; a traceback's line numbers are
//! the document's.

use std::fs;

use crate::Result;
use crate::env::Venv;
use crate::process::run;
use crate::workspace::Workspace;

/// The documents, from the root of the workspace.
const DOCUMENTS: [&str; 2] = ["README.md", "bindings/python/README.md"];

/// Runs each document in an empty directory with the package installed in `venv`.
///
/// # Errors
/// When a document has no Python block or an unclosed one, or its program raises.
pub(crate) fn run_documents(workspace: &Workspace, venv: &Venv) -> Result<()> {
    let folder = workspace.target.join("readme");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    for document in DOCUMENTS {
        let markdown = fs::read_to_string(workspace.root.join(document))?;
        let program = python_blocks(&markdown).map_err(|error| format!("{document}{error}"))?;
        let path = folder.join(document).with_extension("py");
        let work = path.with_extension("work");
        fs::create_dir_all(&work)?;
        fs::write(&path, program)?;
        run(venv.python().arg(path).current_dir(work))?;
    }
    Ok(())
}

/// Returns `markdown` with every line outside a Python block replaced by an empty one.
fn python_blocks(markdown: &str) -> Result<String> {
    let mut program = String::new();
    let mut fence: Option<(usize, &str)> = None; // the line it opened on, and its language
    let mut blocks = 0;
    for (index, line) in markdown.lines().enumerate() {
        match (fence, line.strip_prefix("```")) {
            (None, Some(language)) => {
                blocks += usize::from(language == "python");
                fence = Some((index + 1, language));
            }
            (Some(_), Some("")) => fence = None,
            (Some((_, "python")), _) => program += line,
            _ => {}
        }
        program.push('\n');
    }
    if let Some((line, _)) = fence {
        return Err(format!(":{line}: the code block is never closed").into());
    }
    if blocks == 0 {
        return Err(": there is no python block to run".into());
    }
    Ok(program)
}

#[cfg(test)]
mod tests {
    use super::python_blocks;

    #[test]
    fn only_python_blocks_are_kept_and_lines_keep_their_numbers() {
        let markdown =
            "# Title\n```python\na = 1\n```\ntext\n```sh\nls\n```\n```python\nif a:\n    b = 2\n```\n";
        let expected = "\n\na = 1\n\n\n\n\n\n\nif a:\n    b = 2\n\n";
        assert_eq!(python_blocks(markdown).expect("well-formed"), expected);
    }

    #[test]
    fn nothing_to_run_and_unclosed_blocks_are_errors() {
        assert!(python_blocks("# Title\n```sh\nls\n```\n").is_err());
        let error = python_blocks("\n```python\na = 1\n").expect_err("never closed");
        assert!(error.to_string().starts_with(":2: "), "{error}");
    }
}
