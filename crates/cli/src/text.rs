//! Text for terminals.

/// Columns of a line.
const COLUMNS: usize = 100;

/// The text in lines, each indented, at blanks.
pub(crate) fn wrapped(text: &str, indent: usize) -> String {
    let margin = " ".repeat(indent);
    let (mut lines, mut line) = (String::new(), margin.clone());
    for word in text.split_whitespace() {
        let is_begun = line.len() > indent;
        if is_begun && line.chars().count() + 1 + word.chars().count() > COLUMNS {
            lines += &line;
            lines.push('\n');
            line.clone_from(&margin);
        } else if is_begun {
            line.push(' ');
        }
        line += word;
    }
    lines + &line + "\n"
}
