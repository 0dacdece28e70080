//! The tree of open scopes and groups: [`dump`].

use std::collections::{HashMap, HashSet};
use std::fmt;

use crate::family::{self, SeenChild, SeenScope};

/// What waits for what: the open [scopes](crate::scope()) and [groups](crate::Group) of the
/// process, each with the coroutines in it that run, and below those the scopes that they have
/// opened.
///
/// ```text
/// try_all (at most 8) of coroutine 3 "server": 2 running, 0 to begin, 41 ended
///   coroutine 44
///     scope of coroutine 44: 1 running, 0 to begin, 0 ended
///       coroutine 46 "query"
///   coroutine 45 (daemon)
/// ```
///
/// Those that have ended are a number. Coroutines outside of scopes are not shown.
///
/// ```
/// let tree = lisle::scope(|_| lisle::dump().to_string());
/// assert!(tree.starts_with("scope of "));
/// ```
///
/// All of it is as it was at one moment, except that coroutines begin and end in other scopes while
/// one is looked at. It takes some ten nanoseconds for each coroutine, in which no scope opens or
/// closes.
pub fn dump() -> Dump {
    let (mut seen, mut coroutines) = family::look();
    let mut scopes = Vec::with_capacity(seen.len());
    // From the end, where the coroutines of the last scope are.
    while let Some(scope) = seen.pop() {
        let mut children = coroutines.split_off(coroutines.len() - scope.running);
        children.reverse();
        scopes.push((scope, children));
    }
    Dump { scopes }
}

/// The tree of open scopes at a moment; see [`dump`]. It is there to be displayed.
#[derive(Clone, Debug)]
pub struct Dump {
    /// In the order of opening.
    scopes: Vec<(SeenScope, Vec<SeenChild>)>,
}

impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = self.scopes.iter().flat_map(|(_, children)| children).map(|c| c.place);
        let places: HashSet<usize> = places.collect();
        let mut roots = Vec::new();
        let mut opened: HashMap<usize, Vec<usize>> = HashMap::new();
        for (index, (scope, _)) in self.scopes.iter().enumerate().rev() {
            // One whose opener has begun since its scope was looked at is a root, too.
            match places.contains(&scope.opener) {
                true => opened.entry(scope.opener).or_default().push(index),
                false => roots.push(Row::Scope(index, 0)),
            }
        }
        // Rows yet to be written, the next one last. Not recursive: the tree may be deep.
        let mut rows = roots;
        while let Some(row) = rows.pop() {
            let (Row::Scope(_, depth) | Row::Child(_, depth)) = row;
            write!(f, "{:1$}", "", depth * 2)?;
            match row {
                Row::Scope(index, _) => {
                    let (scope, children) = &self.scopes[index];
                    write_scope(f, scope)?;
                    rows.extend(children.iter().rev().map(|child| Row::Child(child, depth + 1)));
                }
                Row::Child(child, _) => {
                    child.coroutine.show(f)?;
                    writeln!(f, "{}", if child.is_daemon { " (daemon)" } else { "" })?;
                    let below = opened.get(&child.place).into_iter().flatten();
                    rows.extend(below.map(|index| Row::Scope(*index, depth + 1)));
                }
            }
        }
        Ok(())
    }
}

/// A line, and how far to the right it is.
enum Row<'a> {
    Scope(usize, usize),
    Child(&'a SeenChild, usize),
}

fn write_scope(f: &mut fmt::Formatter<'_>, scope: &SeenScope) -> fmt::Result {
    write!(f, "{}", scope.policy.name)?;
    if let Some(limit) = scope.policy.limit {
        write!(f, " (at most {limit})")?;
    }
    write!(f, " of ")?;
    scope.owner.show(f)?;
    let (begun, running) = (scope.begun, scope.running);
    let (to_begin, ended) = (scope.started - begun, begun - running);
    writeln!(f, ": {running} running, {to_begin} to begin, {ended} ended")
}
