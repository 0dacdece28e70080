//! The tables as PLATFORM.md shows them.

use std::fmt::Write;

use super::{RUN, TABLE, unhooked};

/// Stands before what [`render`] returns.
pub const BEGIN: &str = "<!-- Generated from crates/hook/src/table; see there. -->";
/// Stands behind it.
pub const END: &str = "<!-- End of what is generated. -->";

/// The text between [`BEGIN`] and [`END`] in PLATFORM.md.
pub fn render() -> String {
    let mut text =
        String::from("\n| symbols | how | known to differ from the original |\n|---|---|---|\n");
    for family in TABLE {
        line(&mut text, &[&format!("**{}**", family.title), "", ""]);
        for row in family.rows {
            line(&mut text, &[&names(row.symbols), row.how, row.differs]);
        }
    }
    text += "\n### Under `lisle run`\n\n\
             What its library defines besides. In other programs these are the C library's.\n\n\
             | symbols | how | known to differ from the original |\n|---|---|---|\n";
    for row in RUN.rows {
        line(&mut text, &[&names(row.symbols), row.how, row.differs]);
    }
    text += "\n### Calls that can wait and are not hooked\n\n\
             They block their worker, and with it what is queued there until others steal it.\n\n\
             | what | symbols | why | remedy |\n|---|---|---|---|\n";
    for group in unhooked() {
        line(&mut text, &[group.what, &names(group.symbols), group.why, group.remedy]);
    }
    text.push('\n');
    text
}

fn names(symbols: &str) -> String {
    let names: Vec<_> = symbols.split_whitespace().map(|name| format!("`{name}`")).collect();
    names.join(" ")
}

/// One line of a table.
fn line(text: &mut String, cells: &[&str]) {
    for cell in cells {
        let space = if cell.is_empty() { "" } else { " " };
        // Writing to a string does not fail.
        let _ = write!(text, "|{space}{cell} ");
    }
    text.push_str("|\n");
}
