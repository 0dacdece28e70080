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

/// Replaces the function's body `{ ... }` by `{ ::lisle::run_main(move || { ... }) }`.
fn expand(name: &str, args: TokenStream, item: TokenStream, attribute: &str) -> TokenStream {
    if !args.is_empty() {
        return error(&format!(
            "#[lisle::{name}] takes no arguments; configure the runtime with lisle::runtime::Builder"
        ));
    }
    let mut tokens: Vec<TokenTree> = item.into_iter().collect();
    let word =
        |tree: &TokenTree, text: &str| matches!(tree, TokenTree::Ident(i) if i.to_string() == text);
    let header = tokens.iter().take_while(|t| !word(t, "fn"));
    if header.clone().any(|t| word(t, "async")) {
        return error(&format!(
            "#[lisle::{name}] wants a plain function: coroutines need no `async`"
        ));
    }
    let Some(TokenTree::Group(body)) = tokens.pop() else {
        return error(&format!("#[lisle::{name}] wants a function with a body"));
    };
    if body.delimiter() != Delimiter::Brace || !tokens.iter().any(|t| word(t, "fn")) {
        return error(&format!("#[lisle::{name}] wants a function with a body"));
    }
    let call: TokenStream = "::lisle::run_main".parse().expect("a path");
    let mut closure: TokenStream = "move ||".parse().expect("a closure header");
    closure.extend([TokenTree::Group(body)]);
    let mut inner = call;
    inner.extend([TokenTree::Group(Group::new(Delimiter::Parenthesis, closure))]);
    let mut output: TokenStream = attribute.parse().expect("an attribute");
    output.extend(tokens);
    output.extend([TokenTree::Group(Group::new(Delimiter::Brace, inner))]);
    output
}

/// A `compile_error!` at the place of the attribute.
fn error(text: &str) -> TokenStream {
    format!("::core::compile_error!({text:?});").parse().expect("a macro call")
}
