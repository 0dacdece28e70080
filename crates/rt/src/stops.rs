//! What the caller is under, for others to be under too: the coroutines of a scope.
//!
//! Extents are records on a stack, which others have not. So what they say is collected: the
//! nearest deadline, and the tokens. Whoever is to inherit it enters the same, on its own stack,
//! and is then a member of those tokens like any other, which a cancellation finds.
//!
//! A token whose cancellation another of them brings about anyway, as its parent does, is left out.
//! So what is inherited does not grow with the depth at which scopes are nested that have tokens of
//! their own: each is the child of the one that it would add to.
//!
//! Rejected: a reference to the extents of who opened the scope. They do outlive the coroutines in
//! it, but those would have to be found from there by whoever cancels.

use crate::extent;
use crate::token::Token;

/// A deadline and tokens.
#[derive(Debug)]
pub struct Stops {
    deadline: u64,
    /// The innermost first; none is within another that comes later.
    tokens: Vec<Token>,
}

impl Stops {
    /// What the caller is under; none if that is nothing.
    #[inline]
    pub fn of_caller() -> Option<Stops> {
        if extent::is_stoppable() { Stops::collect(None) } else { None }
    }

    /// What the caller is under, and a token of their own, cancelled also with the innermost one of
    /// the caller's.
    pub fn with_token() -> (Stops, Token) {
        let outer = Token::of_caller().next();
        let token = outer.map_or_else(Token::new, |outer| outer.child());
        let stops = Stops::collect(Some(token.clone())).expect("there is a token");
        (stops, token)
    }

    #[cold]
    fn collect(own: Option<Token>) -> Option<Stops> {
        let mut tokens: Vec<Token> = Vec::from_iter(own);
        for token in Token::of_caller() {
            if !tokens.iter().any(|inner| inner.is_within(&token)) {
                tokens.push(token);
            }
        }
        let deadline = extent::limit();
        let some = deadline != extent::NEVER || !tokens.is_empty();
        some.then_some(Stops { deadline, tokens })
    }

    /// Runs `f` under them.
    pub fn run<R>(&self, f: impl FnOnce() -> R) -> R {
        let limited = || match self.deadline {
            extent::NEVER => f(),
            deadline => extent::until(deadline, f),
        };
        match &self.tokens[..] {
            [] => limited(),
            [token] => token.run(limited),
            tokens => {
                let (mut limited, mut result) = (Some(limited), None);
                let mut innermost = || result = limited.take().map(|limited| limited());
                enter_all(tokens, &mut innermost);
                result.expect("it was run")
            }
        }
    }
}

/// Runs `f` under all of them, the last one outermost.
fn enter_all(tokens: &[Token], f: &mut dyn FnMut()) {
    match tokens.split_last() {
        None => f(),
        Some((outermost, others)) => outermost.run(|| enter_all(others, f)),
    }
}
