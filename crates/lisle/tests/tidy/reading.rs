//! Finds things in the texts of sources, manifests and pages, for the rules in `tidy.rs`.
//!
//! Not a parser: it counts on the layout that rustfmt makes. The functions have tests at the end,
//! because a checker that finds nothing looks like one that is satisfied.

use std::collections::{BTreeMap, BTreeSet};

/// How many lines of code above an unsafe block its justification may stand.
const SAFETY_REACH: usize = 3;

/// The lines with their numbers, from 1.
pub(crate) fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether `word` occurs in the line, not as a part of a longer word.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    let bounded = |(at, _): (usize, &str)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next().filter(|_| word.ends_with(is_word));
        ![before, after].into_iter().flatten().any(is_word)
    };
    line.match_indices(word).any(bounded)
}

/// The text with comments and literals blanked; every character keeps its line.
pub(crate) fn code_only(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        match blank_end(&chars, at) {
            Some(end) => {
                let blanks = chars[at..end].iter().map(|&c| if c == '\n' { c } else { ' ' });
                code.extend(blanks);
                at = end;
            }
            None => {
                code.push(chars[at]);
                at += 1;
            }
        }
    }
    code
}

/// Where the comment or literal ends that begins at `at`; `None` if none begins there.
fn blank_end(chars: &[char], at: usize) -> Option<usize> {
    let rest = &chars[at..];
    let length = match rest {
        ['/', '/', ..] => rest.iter().position(|&c| c == '\n'),
        ['/', '*', ..] => block_comment(rest),
        ['"', ..] => string(rest),
        ['r', '"' | '#', ..] => raw_string(rest)?,
        ['\'', '\\', _, ..] => rest[3..].iter().position(|&c| c == '\'').map(|p| p + 4),
        ['\'', _, '\'', ..] => Some(3),
        _ => return None,
    };
    Some(at + length.unwrap_or(rest.len()))
}

/// The length of a block comment, which may hold others.
fn block_comment(rest: &[char]) -> Option<usize> {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// The length of a string with escapes.
fn string(rest: &[char]) -> Option<usize> {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            '\\' => at += 2,
            '"' => return Some(at + 1),
            _ => at += 1,
        }
    }
    None
}

/// The length of a raw string, if this is one rather than a raw identifier.
fn raw_string(rest: &[char]) -> Option<Option<usize>> {
    let hashes = rest[1..].iter().take_while(|&&c| c == '#').count();
    let body = rest.get(1 + hashes..)?.strip_prefix(&['"'])?;
    let closes = |tail: &[char]| tail[0] == '"' && tail[1..].iter().all(|&c| c == '#');
    let end = body.windows(1 + hashes).position(closes);
    Some(end.map(|end| 2 + hashes + end + 1 + hashes))
}

/// The functions that have a body: the line of each `fn` and the number of lines from there.
pub(crate) fn functions(code: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = code.lines().collect();
    let starts = (0..lines.len()).filter(|&index| opens_function(lines[index]));
    starts.filter_map(|index| Some((index + 1, body_length(&lines[index..])?))).collect()
}

/// Whether a line of code begins with a function's header.
fn opens_function(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let qualifies = |word: &&str| {
        matches!(*word, "const" | "async" | "unsafe" | "safe" | "extern")
            || word.starts_with("pub")
            || word.ends_with(')') && line.trim_start().starts_with("pub(in ")
    };
    words.find(|word| !qualifies(word)) == Some("fn")
}

/// The number of lines up to the brace that closes the first body; `None` for a mere declaration.
fn body_length(lines: &[&str]) -> Option<usize> {
    let mut depth = 0_i32;
    for (index, line) in lines.iter().enumerate() {
        for c in line.chars() {
            match c {
                '(' | '[' | '{' => depth += 1,
                ')' | ']' => depth -= 1,
                '}' => {
                    depth -= 1;
                    if depth <= 0 {
                        return Some(index + 1);
                    }
                }
                ';' if depth == 0 => return None,
                _ => {}
            }
        }
    }
    None
}

/// The lines with an unsafe block or implementation that nothing justifies.
///
/// The justification stands on the line or above it. Lines of comments and attributes in between do
/// not count, so that it may be as long as it has to be.
pub(crate) fn unjustified(text: &str) -> Vec<usize> {
    let lines: Vec<&str> = text.lines().collect();
    let code = code_only(text);
    let is_unsafe = |code: &str| {
        code.match_indices("unsafe ").any(|(at, word)| {
            let after = code[at + word.len()..].trim_start();
            let whole = !code[..at].ends_with(is_word);
            whole && (after.starts_with('{') || after.starts_with("impl"))
        })
    };
    let justified = |index: usize| {
        let mut reach = SAFETY_REACH;
        for line in lines[..=index].iter().rev() {
            if line.contains("SAFETY:") {
                return true;
            }
            let aside = line.trim_start().starts_with("//") || line.trim_start().starts_with("#[");
            if !aside && reach == 0 {
                return false;
            }
            reach -= usize::from(!aside);
        }
        false
    };
    let unsafe_lines = numbered(&code).filter(|(_, code)| is_unsafe(code));
    unsafe_lines.map(|(number, _)| number).filter(|number| !justified(number - 1)).collect()
}

/// The crates of this workspace that a manifest's `[dependencies]` name, without the prefix.
/// Tables for one platform count; those for tests and build scripts do not.
pub(crate) fn workspace_dependencies(manifest: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut inside = false;
    for (number, line) in numbered(manifest) {
        let header = line.trim().strip_prefix('[').and_then(|l| l.strip_suffix(']'));
        let key = match header {
            Some(header) => {
                inside = header == "dependencies" || header.ends_with(".dependencies");
                header
                    .strip_prefix("dependencies.")
                    .or_else(|| Some(header.split_once(".dependencies.")?.1))
            }
            None => inside.then(|| line.split(['.', '=', ' ']).next().unwrap_or_default()),
        };
        match key.map(|key| key.strip_prefix("lisle").unwrap_or("?")) {
            Some("") => found.push((number, "lisle".to_owned())),
            Some(rest) => {
                found.extend(rest.strip_prefix('-').map(|name| (number, name.to_owned())));
            }
            None => {}
        }
    }
    found
}

/// The module of the scheduler that a file belongs to; `None` for the root.
pub(crate) fn module_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("crates/rt/src/")?;
    if inside == "mn/mod.rs" {
        return Some("mn");
    }
    // The modules of the M:N backend count as the crate's.
    let inside = inside.strip_prefix("mn/").unwrap_or(inside);
    let module = inside.split('/').next()?.trim_end_matches(".rs");
    (module != "lib").then_some(module)
}

/// What a file of the scheduler calls the module that has the others: `crate::` from anywhere, and
/// within the M:N backend also by way of its parents.
pub(crate) fn root_names(path: &str) -> Vec<&'static str> {
    match path.strip_prefix("crates/rt/src/mn/").map(|inside| inside.matches('/').count()) {
        Some(0) if !path.ends_with("/mod.rs") => vec!["crate::mn::", "super::"],
        Some(1) => vec!["crate::mn::", "super::super::"],
        Some(_) => vec!["crate::mn::"],
        None => vec!["crate::"],
    }
}

/// The table of layers, and what is wrong with it.
///
/// Words after the last module's name are an explanation; `name.rs` and `name/` are the same name.
pub(crate) fn layer_table<'a>(
    lib: &'a str,
    modules: &BTreeSet<&str>,
) -> (BTreeMap<&'a str, u8>, Vec<String>) {
    let (mut layers, mut wrong) = (BTreeMap::new(), Vec::new());
    let mut inside = false;
    for (number, line) in numbered(lib) {
        let Some(line) = line.strip_prefix("//!").map(str::trim) else { break };
        if let Some(title) = line.strip_prefix("```") {
            inside = !inside && has_word(title, "layers");
            continue;
        }
        let Some((layer, rest)) = line.split_once(' ').filter(|_| inside) else { continue };
        let Ok(layer) = layer.parse() else { continue };
        let names = rest.split_whitespace().map(|word| {
            let word = word.split('/').next().unwrap_or_default();
            word.trim_end_matches(',').trim_end_matches(".rs")
        });
        let names: Vec<&str> = names.take_while(|name| modules.contains(name)).collect();
        if names.is_empty() {
            wrong.push(format!("crates/rt/src/lib.rs:{number}: `{rest}` names no module"));
        }
        layers.extend(names.into_iter().map(|name| (name, layer)));
    }
    (layers, wrong)
}

/// The first names after `root`, with their lines; those of macros are left out.
pub(crate) fn paths_from(code: &str, root: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, word) in code.match_indices(root) {
        // Not the tail of `super::super::`.
        if code[..at].ends_with("::") {
            continue;
        }
        let line = 1 + code[..at].matches('\n').count();
        let rest = &code[at + word.len()..];
        let items = rest.strip_prefix('{').map_or_else(|| vec![rest], group_items);
        for item in items {
            let name: String = item.trim_start().chars().take_while(|&c| is_word(c)).collect();
            let is_macro = item.trim_start()[name.len()..].starts_with('!');
            if !name.is_empty() && name != "self" && !is_macro {
                found.push((line, name));
            }
        }
    }
    found
}

/// The items of an import's group, from behind its opening brace.
fn group_items(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut items) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                items.push(&group[start..at]);
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    items
}

/// The files a page links to, with their lines: neither addresses nor places in the page itself.
pub(crate) fn links(page: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (number, line) in numbered(page) {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        let inline = line.match_indices("](").map(|(at, mark)| &line[at + mark.len()..]);
        let inline = inline.map(|rest| rest.split(')').next().unwrap_or_default());
        let defined = line.starts_with('[').then(|| line.split_once("]: ")).flatten();
        for target in inline.chain(defined.map(|(_, target)| target)) {
            let target = target.split([' ', '#']).next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:") {
                found.push((number, target.to_owned()));
            }
        }
    }
    found
}

/// The variables of the environment that a line names.
pub(crate) fn environment_variables(line: &str) -> Vec<String> {
    let prefix = "LISLE_";
    let names = line.match_indices(prefix).map(|(at, _)| {
        let name = line[at..].chars().take_while(|&c| c.is_ascii_uppercase() || c == '_');
        name.collect::<String>().trim_end_matches('_').to_owned()
    });
    names.filter(|name| name.len() > prefix.len()).collect()
}

// The checker, checked.

#[test]
fn comments_and_literals_are_blanked() {
    let kept = |text: &str| code_only(text).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(kept("a // b\nc /* d /* e */ f */ g"), "a c g");
    assert_eq!(kept(r#"a "b \" { c" d"#), "a d");
    assert_eq!(kept("a r#\"b \" c\"# d r#type"), "a d r#type");
    assert_eq!(kept(r"a '{' b '\'' c '\u{7d}' d: &'static str"), "a b c d: &'static str");
    assert_eq!(code_only("\"x\ny\"\nz").lines().count(), 3);
}

#[test]
fn words_are_whole() {
    assert!(has_word("a b!(c)", "b!") && has_word("b", "b"));
    assert!(!has_word("ab! bc", "b!") && !has_word("bc ab", "b"));
}

#[test]
fn functions_are_measured() {
    let text = "fn a() {\n    b();\n}\n\nfn declared(x: [u8; 4]);\n\
                pub(in crate::x) unsafe extern \"C\" fn c() {}\n\
                type F = fn ();\nimpl X {\n    pub(crate) const fn d(\n    ) {\n    }\n}\n";
    assert_eq!(functions(&code_only(text)), [(1, 3), (6, 1), (9, 3)]);
}

#[test]
fn missing_justifications_are_found() {
    let far = "// SAFETY: no.\n1;\n2;\n3;\nunsafe { x() };\n";
    assert_eq!(unjustified(far), [5]);
    let near = "// SAFETY: a long\n// story\n// of\n// five\n// lines.\nunsafe { x() };\n";
    assert!(unjustified(near).is_empty());
    assert_eq!(unjustified("unsafe impl Send for X {}\n"), [1]);
    assert!(unjustified("/// unsafe { x() }\nunsafe fn x();\nunsafe extern {}\n").is_empty());
}

#[test]
fn imports_are_read() {
    let manifest = "[dependencies]\nlisle-rt.workspace = true\nlibc = \"0.2\"\n\
                    [target.'cfg(unix)'.dependencies]\nlisle = { path = \"x\" }\n\
                    [dependencies.lisle-core]\nworkspace = true\n\
                    [dev-dependencies]\nlisle-lab.workspace = true\n";
    let found = workspace_dependencies(manifest);
    let expected = [(2, "rt"), (5, "lisle"), (6, "core")];
    assert_eq!(found, expected.map(|(line, name)| (line, name.to_owned())));

    let code = "use crate::{a, b::{c, d},\n    self, e!};\nfn x() { crate::f::g() }\ncrate::h!()";
    let names: Vec<String> =
        paths_from(code, "crate::").into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["a", "b", "f"]);
    let code = "use super::super::task::Task;\nuse super::slab;";
    let names: Vec<_> = paths_from(code, "super::super::");
    assert_eq!(names, [(1, "task".to_owned())]);
}

#[test]
fn layers_are_read() {
    let modules = BTreeSet::from(["config", "park", "worker"]);
    let lib = "//! Text.\n//!\n//! ```text layers\n//! 1  config.rs, park   and words\n\
               //! 7  worker/{find,run}\n//! 8  nothing\n//! ```\n//! 9  config\n";
    let (layers, wrong) = layer_table(lib, &modules);
    assert_eq!(layers, BTreeMap::from([("config", 1), ("park", 1), ("worker", 7)]));
    assert_eq!(wrong, ["crates/rt/src/lib.rs:6: ` nothing` names no module"]);
}

#[test]
fn links_and_variables_are_read() {
    let page = "[a](b.md#c) [d](https://e) [f](#g)\n```\n[h](i)\n```\n[j]: k.md\n";
    assert_eq!(links(page), [(1, "b.md".to_owned()), (5, "k.md".to_owned())]);
    assert_eq!(
        environment_variables("`LISLE_A_B`=1, LISLE_*, \"LISLE_C\""),
        ["LISLE_A_B", "LISLE_C"]
    );
}
