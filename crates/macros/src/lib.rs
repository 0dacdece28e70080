//! `#[lisle::main]` and `#[lisle::test]`.
//!
//! Both wrap a plain function so that its body runs as the first coroutine while the OS thread that
//! called it waits. They are token-level: the attribute renames nothing and looks at nothing but
//! the function's own header, so the user's code stays what it was.

use proc_macro::{Delimiter, Group, TokenStream, TokenTree};

/// Runs `main` as a coroutine.
///
/// The process ends when `main` returns, as it does with threads: coroutines that still run are
/// not waited for. A panic in `main` ends the process with the exit status std gives it.
///
/// ```ignore
/// #[lisle::main]
/// fn main() {
///     lisle::spawn(|| println!("on a coroutine")).join().unwrap();
/// }
/// ```
#[proc_macro_attribute]
pub fn main(args: TokenStream, item: TokenStream) -> TokenStream {
    expand("main", args, item, "")
}

/// Runs a test function as a coroutine; otherwise as `#[test]`.
///
/// ```ignore
/// #[lisle::test]
/// fn yields() {
///     lisle::yield_now();
/// }
/// ```
#[proc_macro_attribute]
pub fn test(args: TokenStream, item: TokenStream) -> TokenStream {
    expand("test", args, item, "#[::core::prelude::v1::test]")
}

/// Turns `fn f() { body }` into `fn f() { ::lisle::run_main(move || { body }) }`, and of tests and
/// `main` that return something,
/// `fn f() -> R { body }` into
/// `fn f() -> ExitCode { ::lisle::run_main(move || (move || -> R { body })().report()) }`:
/// the result is reported (an error printed) on the coroutine, so that it need not be `Send`.
fn expand(name: &str, args: TokenStream, item: TokenStream, attribute: &str) -> TokenStream {
    if !args.is_empty() {
        return error(&format!(
            "#[lisle::{name}] takes no arguments; see lisle::runtime::Builder for the set-up"
        ));
    }
    let mut header: Vec<TokenTree> = item.into_iter().collect();
    let word =
        |tree: &TokenTree, text: &str| matches!(tree, TokenTree::Ident(i) if i.to_string() == text);
    if header.iter().take_while(|t| !word(t, "fn")).any(|t| word(t, "async")) {
        return error(&format!(
            "#[lisle::{name}] wants a plain function: coroutines need no `async`"
        ));
    }
    let mut body = match header.pop() {
        Some(TokenTree::Group(body)) if body.delimiter() == Delimiter::Brace => body,
        _ => return error(&format!("#[lisle::{name}] wants a function with a body")),
    };
    let is_main = header.windows(2).any(|pair| word(&pair[0], "fn") && word(&pair[1], "main"));
    if (is_main || name == "test")
        && let Some(arrow) = header.windows(2).position(is_arrow)
    {
        body = reporting(header.split_off(arrow).into_iter().skip(2).collect(), body);
        header.extend(tokens("-> ::std::process::ExitCode"));
    }
    let mut closure = tokens("move ||");
    closure.extend([TokenTree::Group(body)]);
    let mut run = tokens("::lisle::run_main");
    run.extend([TokenTree::Group(Group::new(Delimiter::Parenthesis, closure))]);
    let mut output = tokens(attribute);
    output.extend(header);
    output.extend([TokenTree::Group(Group::new(Delimiter::Brace, run))]);
    output
}

/// `{ ::std::process::Termination::report((move || -> result body)()) }`
fn reporting(result: TokenStream, body: Group) -> Group {
    let mut inner = tokens("move || ->");
    inner.extend(result);
    inner.extend([TokenTree::Group(body)]);
    let mut call = TokenStream::from(TokenTree::Group(Group::new(Delimiter::Parenthesis, inner)));
    call.extend(tokens("()"));
    let mut report = tokens("::std::process::Termination::report");
    report.extend([TokenTree::Group(Group::new(Delimiter::Parenthesis, call))]);
    Group::new(Delimiter::Brace, report)
}

/// Whether two tokens are `->`.
fn is_arrow(pair: &[TokenTree]) -> bool {
    let punct = |tree: &TokenTree, c: char| matches!(tree, TokenTree::Punct(p) if p.as_char() == c);
    punct(&pair[0], '-') && punct(&pair[1], '>')
}

/// The tokens of a piece of source that is known to be well-formed.
fn tokens(source: &str) -> TokenStream {
    source.parse().expect("well-formed source")
}

/// A `compile_error!` at the place of the attribute.
fn error(text: &str) -> TokenStream {
    format!("::core::compile_error!({text:?});").parse().expect("a macro call")
}
