//! [`lisle::dump`]: the tree of scopes, groups, and the coroutines in them.

mod util;

use std::time::Duration;

use lisle::sync::Event;
use lisle::{Builder, Group, Scope};
use util::{here, scaled};

/// The lines of a dump, from that of this coroutine's first scope to the end of what is below it,
/// without identities, which are another each time.
fn tree() -> Vec<String> {
    let text = lisle::dump().to_string();
    let own = format!("of {}:", shown(&lisle::current()));
    let from = text.find(&own).and_then(|at| text[..at].rfind('\n')).map_or(0, |at| at + 1);
    let mut lines = text[from..].lines();
    let first = lines.next().expect("this coroutine has a scope");
    let depth = |line: &str| line.len() - line.trim_start().len();
    let below = lines.take_while(|line| depth(line) > depth(first));
    let cut = |line: &str| plain(&line[depth(first)..]);
    std::iter::once(cut(first)).chain(below.map(cut)).collect()
}

/// A coroutine as dumps show it.
fn shown(coroutine: &lisle::Coroutine) -> String {
    let id = format!("{:?}", coroutine.id());
    let number: String = id.chars().filter(char::is_ascii_digit).collect();
    match util::threads() {
        true => format!("thread ThreadId({number})"),
        false => format!("coroutine {number}"),
    }
}

/// Without identities.
fn plain(line: &str) -> String {
    let words: Vec<_> = line.split("thread ThreadId(").collect();
    let threads = words.join("coroutine (");
    let mut out = String::new();
    let mut rest = threads.as_str();
    while let Some(at) = rest.find("coroutine ") {
        let end = at + "coroutine".len();
        out.push_str(&rest[..end]);
        rest = rest[end + 1..].trim_start_matches(|c: char| c.is_ascii_digit() || "()".contains(c));
    }
    // What follows an identity begins with a space, a colon, or nothing.
    out + rest
}

/// A coroutine that runs until the event.
fn waiting<'scope>(s: &'scope Scope<'scope, '_>, name: &str, event: &'scope Event) {
    let begun = &*Box::leak(Box::new(Event::new()));
    let body = || {
        begun.set();
        event.wait().unwrap();
    };
    Builder::new().name(name.into()).spawn_scoped(s, body).unwrap();
    begun.wait().unwrap();
}

#[test]
fn an_empty_scope_is_a_line() {
    here(|| {
        let tree = lisle::scope(|_| tree());
        assert_eq!(tree, ["scope of coroutine: 0 running, 0 to begin, 0 ended"]);
    });
}

#[test]
fn coroutines_are_below_their_scope_and_those_that_ended_are_counted() {
    here(|| {
        let end = Event::new();
        lisle::scope(|s| {
            (0..3).for_each(|_| s.spawn(|| ()).join().unwrap());
            waiting(s, "one", &end);
            waiting(s, "two", &end);
            let expected = [
                "scope of coroutine: 2 running, 0 to begin, 3 ended",
                "  coroutine \"one\"",
                "  coroutine \"two\"",
            ];
            assert_eq!(tree(), expected);
            end.set();
        });
        let own = format!("of {}:", shown(&lisle::current()));
        assert!(!lisle::dump().to_string().contains(&own));
    });
}

#[test]
fn scopes_are_below_the_coroutine_that_opened_them() {
    here(|| {
        let (end, begun) = (Event::new(), Event::new());
        lisle::scope(|s| {
            let outer = || {
                lisle::scope(|s| {
                    waiting(s, "inner", &end);
                    let race = Group::new().limit(2).race(|g| {
                        g.daemon(|| end.wait().unwrap());
                        begun.set();
                        end.wait().unwrap();
                    });
                    assert_eq!(race, None::<()>);
                });
            };
            Builder::new().name("outer".into()).spawn_scoped(s, outer).unwrap();
            begun.wait().unwrap();
            util::yield_until(|| tree().len() == 6);
            let expected = [
                "scope of coroutine: 1 running, 0 to begin, 0 ended",
                "  coroutine \"outer\"",
                "    scope of coroutine \"outer\": 1 running, 0 to begin, 0 ended",
                "      coroutine \"inner\"",
                "    race (at most 2) of coroutine \"outer\": 1 running, 0 to begin, 0 ended",
                "      coroutine (daemon)",
            ];
            util::yield_until(|| tree().last().is_some_and(|line| line.ends_with("(daemon)")));
            assert_eq!(tree(), expected);
            end.set();
        });
    });
}

#[test]
fn it_is_taken_while_scopes_come_and_go() {
    here(|| {
        let end = Event::new();
        let churn = || {
            while !end.is_set() {
                let all = Group::new().limit(4).all(|g| {
                    (0..20).for_each(|i| g.spawn(move || lisle::scope(|s| s.spawn(|| i).join())));
                });
                assert!(all.into_iter().all(|one| one.is_ok()));
            }
        };
        lisle::scope(|s| {
            for _ in 0..4 {
                s.spawn(churn);
            }
            let mut most = 0;
            for _ in 0..scaled(300, 60) {
                let text = lisle::dump().to_string();
                most = most.max(text.lines().count());
                lisle::sleep(Duration::from_micros(50));
            }
            end.set();
            // At least this scope and its four.
            assert!(most >= 5, "{most} lines");
        });
    });
}

#[test]
fn many_coroutines_are_all_there() {
    here(|| {
        let count = scaled(5000, 200);
        let end = Event::new();
        lisle::scope(|s| {
            (0..count).for_each(|_| drop(s.spawn(|| end.wait().unwrap())));
            let all = format!("scope of coroutine: {count} running, 0 to begin, 0 ended");
            util::yield_until(|| tree()[0] == all);
            assert_eq!(tree().len(), count + 1);
            end.set();
        });
    });
}
